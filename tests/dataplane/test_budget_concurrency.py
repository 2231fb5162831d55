"""Nobody overspends, however many ask at once, and nobody is refused for whom there is money."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dataplane.authority import LocalAuthority
from dataplane.errors import BudgetExceeded
from dataplane.limits import Limits
from dataplane.redis_authority import RedisAuthority
from tests.dataplane.budget_worker import COST, ROOM
from tests.dataplane.budgeted import Clock, budget, call, house, key, until

ROOT = Path(__file__).parents[2]
ACCOUNT = "budget:1:2026-11"
BOUNDS = pytest.mark.parametrize("bound", [1, 3, 100])


def limits_for(limit: int, *, max_wait: float = 10.0) -> Limits:
    limits = Limits(LocalAuthority(), clock=Clock(), max_wait=max_wait)
    limits.configure(house(budget(limit)))
    return limits


def spent(limits: Limits, limit: int) -> int:
    for lease in limits.pool.known():
        lease.report(keep=False)
    standing = limits.pool.local.peek_now(ACCOUNT, limit=limit)
    return limit - standing.free - standing.outstanding


@BOUNDS
async def test_of_200_callers_at_once_exactly_those_pass_whom_the_budget_fits(bound: int) -> None:
    limits = limits_for(ROOM * COST)
    await limits.start()
    callers = [call(limits, key(number % 7), reserve=bound * COST, cost=COST) for number in range(200)]
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert sum(outcome == COST for outcome in outcomes) == ROOM
    assert sum(isinstance(outcome, BudgetExceeded) for outcome in outcomes) == 150
    assert spent(limits, ROOM * COST) == ROOM * COST
    await limits.close()


@BOUNDS
async def test_it_is_exact_without_upkeep_too(bound: int) -> None:
    limits = limits_for(ROOM * COST)
    outcomes = await asyncio.gather(*(call(limits, key(), reserve=bound * COST, cost=COST) for _ in range(200)), return_exceptions=True)
    assert sum(outcome == COST for outcome in outcomes) == ROOM


@BOUNDS
async def test_callers_with_two_budgets_are_bounded_by_the_smaller(bound: int) -> None:
    limits = Limits(LocalAuthority(), clock=Clock())
    limits.configure(house(budget(80 * COST), budget(ROOM * COST, subject="user:1", budget_id=2)))
    await limits.start()
    outcomes = await asyncio.gather(*(call(limits, key(), reserve=bound * COST, cost=COST) for _ in range(200)), return_exceptions=True)
    assert sum(outcome == COST for outcome in outcomes) == ROOM
    assert spent(limits, 80 * COST) == ROOM * COST
    await limits.close()


@pytest.mark.parametrize("seed", range(20))
async def test_with_costs_of_any_size_below_the_bound_the_budget_is_never_overspent(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    limit = dice.randint(1_000, 50_000)
    limits = limits_for(limit)
    await limits.start()
    reserves = [dice.randint(1, 2_000) for _ in range(150)]

    async def one(number: int) -> int:
        # Each is a model of its own: nothing is ever known of what it costs but the bound.
        admission = await limits.admit(key(), reserve=reserves[number], tokens=1, model=str(number))
        for _ in range(dice.randint(0, 5)):
            await asyncio.sleep(0)
        cost = dice.randint(0, admission.reserved)
        admission.settle(cost, 1)
        return cost

    outcomes = await asyncio.gather(*(one(number) for number in range(150)), return_exceptions=True)
    costs = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert all(isinstance(outcome, int | BudgetExceeded) for outcome in outcomes)
    assert spent(limits, limit) == sum(costs) <= limit
    if len(costs) < 150:
        assert sum(costs) == limit, "somebody was refused although something was left"
    await limits.close()


async def test_a_call_waits_while_an_open_one_may_leave_enough_and_goes_when_it_does() -> None:
    limits = limits_for(100)
    first = await limits.admit(key(), reserve=80, tokens=1, model="m")
    second = asyncio.create_task(limits.admit(key(), reserve=50, tokens=1, model="n"))
    await until(lambda: any(lease.waiters for lease in limits.pool.known()))
    assert not second.done()
    first.settle(40, 1)
    admission = await asyncio.wait_for(second, 1)
    assert admission.reserved == 50


async def test_a_call_is_refused_at_once_when_no_open_one_can_leave_enough() -> None:
    limits = limits_for(100)
    limits.pool.expectation.record("m", 90)
    (await limits.admit(key(), reserve=20, tokens=1, model="m")).settle(20, 1)
    await limits.admit(key(), reserve=60, tokens=1, model="m")
    with pytest.raises(BudgetExceeded, match="does not cover this call"):
        await asyncio.wait_for(limits.admit(key(), reserve=200, tokens=1, model="m"), 1)


async def test_a_waiting_call_is_refused_when_the_open_one_has_spent_what_it_waited_for() -> None:
    limits = limits_for(100)
    first = await limits.admit(key(), reserve=80, tokens=1, model="m")
    second = asyncio.create_task(limits.admit(key(), reserve=80, tokens=1, model="m"))
    await until(lambda: any(lease.waiters for lease in limits.pool.known()))
    first.settle(80, 1)
    with pytest.raises(BudgetExceeded, match="does not cover this call"):
        await asyncio.wait_for(second, 1)


async def test_waiting_has_a_bound_and_its_refusal_says_what_was_waited_for() -> None:
    limits = limits_for(100, max_wait=0.05)
    await limits.admit(key(), reserve=80, tokens=1, model="m")
    with pytest.raises(BudgetExceeded, match="is held by calls in progress"):
        await limits.admit(key(), reserve=80, tokens=1, model="m")


async def test_a_small_call_does_not_wait_behind_a_big_one() -> None:
    limits = limits_for(100)
    first = await limits.admit(key(), reserve=95, tokens=1, model="m")
    await limits.admit(key(), reserve=5, tokens=1, model="m")
    big = asyncio.create_task(limits.admit(key(), reserve=90, tokens=1, model="big"))
    small = asyncio.create_task(limits.admit(key(), reserve=10, tokens=1, model="small"))
    await until(lambda: sum(len(lease.waiters) for lease in limits.pool.known()) == 2)
    first.settle(75, 1)
    assert (await asyncio.wait_for(small, 1)).reserved == 10
    assert not big.done()
    big.cancel()


async def test_a_call_that_gives_up_waiting_lets_the_next_one_go() -> None:
    limits = limits_for(100)
    first = await limits.admit(key(), reserve=100, tokens=1, model="m")
    waiting = [asyncio.create_task(limits.admit(key(), reserve=100, tokens=1, model=str(n))) for n in range(2)]
    await until(lambda: sum(len(lease.waiters) for lease in limits.pool.known()) == 2)
    first.settle(0, 1)
    waiting[0].cancel()
    assert (await asyncio.wait_for(waiting[1], 1)).reserved == 100


async def test_a_call_of_unknown_cost_probes_alone_with_all_that_is_left() -> None:
    limits = limits_for(100)
    probe = await limits.admit(key(), reserve=1000, tokens=1, model="m")
    assert probe.reserved == 100
    others = [asyncio.create_task(limits.admit(key(), reserve=1000, tokens=1, model="m")) for _ in range(12)]
    await until(lambda: sum(len(lease.waiters) for lease in limits.pool.known()) == 12)
    probe.settle(10, 1)
    await until(lambda: sum(other.done() for other in others) == 9)
    assert {other.result().reserved for other in others if other.done()} == {10}
    for other in others:
        if other.done():
            other.result().settle(10, 1)
    refused = await asyncio.gather(*(other for other in others if not other.done()), return_exceptions=True)
    assert all(isinstance(outcome, BudgetExceeded) for outcome in refused)


async def test_a_probe_that_fails_for_nothing_teaches_nothing_and_the_next_one_probes() -> None:
    limits = limits_for(100)
    probe = await limits.admit(key(), reserve=1000, tokens=1, model="m")
    others = [asyncio.create_task(limits.admit(key(), reserve=1000, tokens=1, model="m")) for _ in range(3)]
    await until(lambda: sum(len(lease.waiters) for lease in limits.pool.known()) == 3)
    probe.settle(0, 1)
    await until(lambda: sum(other.done() for other in others) == 1)
    second = next(other for other in others if other.done()).result()
    assert second.reserved == 100
    assert sum(len(lease.waiters) for lease in limits.pool.known()) == 2
    second.settle(100, 1)
    refused = await asyncio.gather(*(other for other in others if not other.done()), return_exceptions=True)
    assert all(isinstance(outcome, BudgetExceeded) for outcome in refused)


async def test_a_raised_limit_lets_those_go_who_wait() -> None:
    limits = limits_for(100)
    await limits.admit(key(), reserve=100, tokens=1, model="m")
    waiting = asyncio.create_task(limits.admit(key(), reserve=50, tokens=1, model="n"))
    await until(lambda: any(lease.waiters for lease in limits.pool.known()))
    limits.configure(house(budget(150)))
    assert (await asyncio.wait_for(waiting, 1)).reserved == 50


async def test_a_budget_that_is_gone_lets_those_go_who_wait() -> None:
    limits = limits_for(100)
    await limits.admit(key(), reserve=100, tokens=1, model="m")
    waiting = asyncio.create_task(limits.admit(key(), reserve=50, tokens=1, model="n"))
    await until(lambda: any(lease.waiters for lease in limits.pool.known()))
    limits.configure(house())
    assert (await asyncio.wait_for(waiting, 1)).accounts == ()


class Workers:
    """Worker processes that begin together."""

    def __init__(self, *arguments: str, count: int = 4) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "platform")])
        command = [sys.executable, "-m", "tests.dataplane.budget_worker", *arguments]
        self.processes = [
            subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(count)
        ]

    def begin(self) -> None:
        for process in self.processes:
            assert process.stdout.readline() == "ready\n"
        for process in self.processes:
            process.stdin.write("go\n")
            process.stdin.flush()

    def outcomes(self) -> list[dict]:
        return [json.loads(process.communicate(timeout=60)[0]) for process in self.processes]

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture
def accounts(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@BOUNDS
@pytest.mark.parametrize("seconds", [0.0, 0.02])
def test_four_processes_let_exactly_those_pass_whom_the_budget_fits(
    redis_url: str, accounts: redis.Redis, bound: int, seconds: float
) -> None:
    asyncio.run(_seed(redis_url))
    workers = Workers("run", redis_url, "four", "50", str(bound), str(seconds))
    try:
        workers.begin()
        outcomes = workers.outcomes()
    finally:
        workers.end()
    assert sum(outcome["outcomes"].get("passed", 0) for outcome in outcomes) == ROOM
    assert sum(outcome["outcomes"].get("budget_exceeded", 0) for outcome in outcomes) == 150
    held = accounts.hgetall("four:acct:budget:1:all")
    assert (held["settled"], held["taken"]) == (str(ROOM * COST), "0")
    assert max(outcome["seconds"] for outcome in outcomes) < 9, "somebody waited until the bound"


async def _seed(url: str) -> None:
    authority = RedisAuthority(url, prefix="four")
    await authority.reseed([])
    await authority.close()


def test_the_slice_of_a_killed_worker_is_outstanding_until_a_recovery_gives_it_back(redis_url: str, accounts: redis.Redis) -> None:
    asyncio.run(_seed(redis_url))
    workers = Workers("hold", redis_url, "four", count=1)
    try:
        told = json.loads(workers.processes[0].stdout.readline())
    finally:
        workers.end()
    ((reference, held),) = told.items()
    assert accounts.hget("four:acct:budget:1:all", "taken") == str(held)

    async def recover() -> None:
        authority = RedisAuthority(redis_url, prefix="four")
        await authority.settle(reference, COST)
        await authority.give_back(reference, held - COST)
        await authority.close()

    asyncio.run(recover())
    assert accounts.hgetall("four:acct:budget:1:all") | {"e": ""} == {"taken": "0", "settled": str(COST), "e": ""}
