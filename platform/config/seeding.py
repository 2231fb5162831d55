"""What the authority of budgets has to know before it may grant money: how much of each was spent in its window.

The ledger is the truth; counts elsewhere are set from it, never added to. In the all-in-one this happens at every start,
after what a dead process left in its journal is in the ledger. With Redis it happens when Redis has lost its counts, after
what waits in its stream of usage is in the ledger: workers declare only what they spent in the last seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog
from django.db import close_old_connections
from redis import Redis

from dataplane.authority import LocalAuthority, Seed
from dataplane.errors import AuthorityUnavailable
from dataplane.outlets import STREAM
from dataplane.recovery import Recovery
from dataplane.redis_authority import RedisAuthority
from usage.drain import Drain, client_for
from usage.queries import authority_seeds

log = structlog.get_logger(__name__)

ONE_AT_A_TIME = "ch:seeding"
SEEDING_SECONDS = 10
"""How long one process may be silent before another one seeds."""


def _seeds_in_a_thread() -> list[Seed]:
    close_old_connections()
    try:
        return authority_seeds()
    finally:
        close_old_connections()


class Seeding:
    """The start of an all-in-one: what a dead process left goes into the ledger, and then the ledger into the authority.
    Conforms to `dataplane.kit.Background`."""

    def __init__(self, authority: LocalAuthority, recovery: Recovery) -> None:
        self._authority = authority
        self._recovery = recovery

    async def start(self) -> None:
        await self._recovery.catch_up()
        await self._authority.reseed(await asyncio.to_thread(_seeds_in_a_thread))
        await self._recovery.start()

    async def close(self) -> None:
        await self._recovery.close()


def keep_epoch(client: Redis, url: str) -> None:
    """Begins an epoch where Redis answers and is in none. Called by every poller; one of them does it. Until then nobody is
    granted money, so what fails here (the database is away) is tried again and never skipped."""
    held, run = client.hmget("ch:epoch", "id", "run")
    if held and run == client.info("server")["run_id"].encode():
        return
    if client.set(ONE_AT_A_TIME, "1", nx=True, ex=SEEDING_SECONDS):
        try:
            drain_usage(client, url)
            found = authority_seeds()
            epoch = asyncio.run(_reseed(url, found))
            log.warning("budgets.seeded", epoch=epoch, budgets=len(found))
        finally:
            client.delete(ONE_AT_A_TIME)


def drain_usage(client: Redis, url: str) -> None:
    """Returns when all that waits in the stream at this moment is in the ledger, what a dead drain had taken included; the
    ledger takes nothing twice from one that lives. Raises what Redis and the database raise."""
    newest: Any = client.xrevrange(STREAM, count=1)
    if not newest:
        return
    last, with_own_timeout = newest[0][0], client_for(url)
    try:
        drain = Drain(with_own_timeout, claim_after_ms=0)
        while client.xrange(STREAM, max=last, count=1) and drain.drain_once():
            client.expire(ONE_AT_A_TIME, SEEDING_SECONDS)
    finally:
        with_own_timeout.close()


async def _reseed(url: str, found: Iterable[Seed]) -> str:
    authority = RedisAuthority(url, timeout=5.0)
    try:
        return await authority.reseed(found)
    finally:
        await authority.close()


def seed_new_in_redis(url: str) -> None:
    """Accounts that the authority does not know start from what was spent, not from nothing: a budget that was given in
    the middle of a month. Those it knows stay as they are."""
    asyncio.run(_seed(url, authority_seeds()))


async def _seed(url: str, found: Iterable[Seed]) -> None:
    authority = RedisAuthority(url, timeout=5.0)
    try:
        for seed in found:
            await authority.seed(seed.account, seed.spent, ttl=seed.ttl)
    except AuthorityUnavailable:
        log.warning("budgets.not_seeded")
    finally:
        await authority.close()


def seed_new(authority: LocalAuthority) -> None:
    """The same where the authority lives in this process; its `seed` does not wait for anything."""

    found = authority_seeds()

    async def seed_all() -> None:
        for seed in found:
            await authority.seed(seed.account, seed.spent, ttl=seed.ttl)

    asyncio.run(seed_all())
