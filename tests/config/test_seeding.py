"""What the authority of budgets knows at its start: what the ledger says was spent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

import msgspec
import pytest
from django.db import OperationalError
from redis import Redis

from config.seeding import ONE_AT_A_TIME, keep_epoch, seed_new, seed_new_in_redis
from dataplane.authority import LocalAuthority
from dataplane.events import UsageEvent
from dataplane.ids import new_id
from dataplane.outlets import STREAM
from dataplane.redis_authority import RedisAuthority
from dataplane.windows import budget_account
from identity.models import Team
from usage.actions import set_budget
from usage.drain import GROUP
from usage.ledger import record
from usage.models import Budget

pytestmark = pytest.mark.django_db

DOLLAR = 10**9


@pytest.fixture
def budget(research: Team) -> Budget:
    return set_budget(actor=None, subject=research, limit="10")


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


def spend(team: Team, cost: str) -> None:
    record([event_of(team, cost)])


def put_on_the_stream(client: Redis, team: Team, cost: str, *, tag: str) -> None:
    client.xadd(STREAM, {"source": "gateway-1", "tag": tag, "lines": msgspec.json.encode(event_of(team, cost))})


def event_of(team: Team, cost: str) -> UsageEvent:
    return UsageEvent(
        id=new_id(), request_id=new_id(), at=time.time(), plane="llm", principal="user:1", principal_name="ci", key=1, key_name="k",
        outcome="ok", status=200, team=team.pk, team_name=team.name, model="m", usage={"input": 1}, cost=cost, price="override:m@2026-01-1",
    )  # fmt: skip


def account(budget: Budget) -> str:
    return budget_account(budget.pk, budget.period, time.time())


async def _free_in_redis(url: str, budget: Budget, limit: int) -> int:
    authority = RedisAuthority(url)
    try:
        return (await authority.peek(account(budget), limit=limit)).free
    finally:
        await authority.close()


def free_in_redis(url: str, budget: Budget) -> int:
    import asyncio

    return asyncio.run(_free_in_redis(url, budget, 10 * DOLLAR))


def test_a_budget_given_in_the_middle_of_a_month_knows_what_was_spent(research: Team) -> None:
    spend(research, "4.25")
    budget = set_budget(actor=None, subject=research, limit="10")
    authority = LocalAuthority()
    seed_new(authority)
    assert authority.peek_now(account(budget), limit=10 * DOLLAR).free == int(Decimal("5.75") * DOLLAR)


def test_what_an_authority_knows_already_is_left_as_it_is(research: Team, budget: Budget) -> None:
    authority = LocalAuthority()
    authority.take_now(account(budget), need=DOLLAR, want=DOLLAR, limit=10 * DOLLAR)
    spend(research, "9")
    seed_new(authority)
    assert authority.peek_now(account(budget), limit=10 * DOLLAR).free == 9 * DOLLAR


def test_a_redis_without_an_epoch_gets_one_seeded_from_the_ledger(research: Team, budget: Budget, client: Redis, redis_url: str) -> None:
    spend(research, "3")
    keep_epoch(client, redis_url)
    assert client.hget("ch:epoch", "id")
    assert free_in_redis(redis_url, budget) == 7 * DOLLAR
    assert not client.exists(ONE_AT_A_TIME)


def test_an_epoch_that_lasts_is_not_begun_again(budget: Budget, client: Redis, redis_url: str) -> None:
    keep_epoch(client, redis_url)
    before = client.hget("ch:epoch", "id")
    keep_epoch(client, redis_url)
    assert client.hget("ch:epoch", "id") == before


def test_an_emptied_redis_gets_a_new_epoch(research: Team, budget: Budget, client: Redis, redis_url: str) -> None:
    keep_epoch(client, redis_url)
    before = client.hget("ch:epoch", "id")
    spend(research, "2.5")
    client.flushdb()
    keep_epoch(client, redis_url)
    assert client.hget("ch:epoch", "id") not in (None, before)
    assert free_in_redis(redis_url, budget) == int(7.5 * DOLLAR)


def test_of_two_processes_one_seeds(budget: Budget, client: Redis, redis_url: str) -> None:
    client.set(ONE_AT_A_TIME, "1", ex=5)
    keep_epoch(client, redis_url)
    assert not client.exists("ch:epoch")


def test_a_new_budget_in_redis_starts_from_what_was_spent(research: Team, client: Redis, redis_url: str) -> None:
    keep_epoch(client, redis_url)
    spend(research, "6")
    budget = set_budget(actor=None, subject=research, limit="10")
    seed_new_in_redis(redis_url)
    assert free_in_redis(redis_url, budget) == 4 * DOLLAR


def test_what_waits_in_the_stream_is_in_the_ledger_before_an_epoch_begins(
    research: Team, budget: Budget, client: Redis, redis_url: str
) -> None:
    """A server that came back with its stream, and a drain that died with an entry in its hands."""
    spend(research, "1")
    for number in range(40):
        put_on_the_stream(client, research, "0.1", tag=f"1:{number}")
    client.xgroup_create(STREAM, GROUP, id="0")
    assert client.xreadgroup(GROUP, "a drain that died", {STREAM: ">"}, count=3)

    keep_epoch(client, redis_url)

    assert free_in_redis(redis_url, budget) == 5 * DOLLAR
    assert client.xlen(STREAM) == 0
    assert client.llen(f"{STREAM}:done:gateway-1") == 40


def test_no_epoch_begins_while_the_stream_can_not_be_drained(
    research: Team, budget: Budget, client: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> int:
        raise OperationalError("the database is away")

    put_on_the_stream(client, research, "4", tag="1:0")
    with monkeypatch.context() as patched:
        patched.setattr("usage.ledger.record_lines", away)
        with pytest.raises(OperationalError):
            keep_epoch(client, redis_url)
    assert not client.exists("ch:epoch")
    assert not client.exists(ONE_AT_A_TIME)
    keep_epoch(client, redis_url)
    assert free_in_redis(redis_url, budget) == 6 * DOLLAR
