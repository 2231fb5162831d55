"""One worker process of the tests on Redis: takes its part of the callers, and prints what became of them as JSON.

It says that it is ready, and begins when it is told so on its standard input."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

from dataplane.errors import HouseError
from dataplane.limits import Limits
from dataplane.redis_authority import RedisAuthority
from tests.dataplane.budgeted import budget, house, key

COST = 1_000_000
ROOM = 50
"""Calls that the budget fits."""

PATIENCE = 10.0
"""A machine that is busy with other tests is not a Redis that is away."""


async def caller(limits: Limits, reserve: int, seconds: float) -> str:
    try:
        admission = await limits.admit(key(), reserve=reserve, tokens=1, model="m")
    except HouseError as error:
        return error.code
    await asyncio.sleep(seconds)
    admission.settle(COST, 1)
    return "passed"


async def run(url: str, prefix: str, callers: int, bound: int, seconds: float) -> None:
    limits = Limits(RedisAuthority(url, prefix=prefix, grace=0, timeout=PATIENCE))
    limits.configure(house(budget(ROOM * COST, period="total")))
    await limits.start()
    await limits.pool.authority.health()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    begun = time.monotonic()
    outcomes = Counter(await asyncio.gather(*(caller(limits, bound * COST, seconds) for _ in range(callers))))
    took = time.monotonic() - begun
    await limits.close()
    await limits.pool.authority.close()
    print(json.dumps({"outcomes": outcomes, "seconds": took}), flush=True)


async def hold(url: str, prefix: str) -> None:
    """Takes a slice, says which, and then waits to be killed."""
    told: dict[str, int] = {}
    limits = Limits(RedisAuthority(url, prefix=prefix, grace=0, timeout=PATIENCE), on_lease=told.__setitem__)
    limits.configure(house(budget(ROOM * COST, period="total")))
    await limits.admit(key(), reserve=COST, tokens=1, model="m")
    print(json.dumps(told), flush=True)
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    if sys.argv[1] == "hold":
        asyncio.run(hold(*sys.argv[2:4]))
    else:
        asyncio.run(run(*sys.argv[2:4], int(sys.argv[4]), int(sys.argv[5]), float(sys.argv[6])))
