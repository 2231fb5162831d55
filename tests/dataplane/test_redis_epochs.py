"""When Redis has lost its counts: no money until it is seeded anew, and nothing spent twice."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

import pytest
import redis

from dataplane.authority import Seed, Settling
from dataplane.errors import AuthorityUnavailable, BudgetExceeded
from dataplane.limits import Limits
from tests.dataplane.budgeted import call, key, until
from tests.dataplane.relayed import ACCOUNT, Relay, _a_ledger_that_hears_of_nothing, authority_at, client, limits_at

__all__ = ["_a_ledger_that_hears_of_nothing", "client"]


async def test_a_redis_that_was_never_seeded_grants_no_money(redis_url: str) -> None:
    async with authority_at(redis_url) as authority:
        assert not await authority.health()
        with pytest.raises(AuthorityUnavailable, match="not seeded"):
            await authority.take(ACCOUNT, need=1, want=1, limit=100)
        assert (await authority.take("rpm:key:1:1", need=1, want=1, limit=100)).granted == 1
        await authority.reseed([Seed(ACCOUNT, 60, 1000)])
        assert await authority.health()
        assert (await authority.take(ACCOUNT, need=41, want=1, limit=100)).granted == 0
        assert (await authority.take(ACCOUNT, need=40, want=1, limit=100)).granted == 40


async def test_a_new_epoch_waits_for_the_slow_to_declare_what_they_hold(redis_url: str) -> None:
    async with authority_at(redis_url, grace=0.3, seeds=[]) as authority:
        with pytest.raises(Settling) as caught:
            await authority.take(ACCOUNT, need=1, want=1, limit=100)
        assert 0 < caught.value.seconds <= 0.3
        async with limits_at(authority, 100, max_wait=0) as impatient:
            with pytest.raises(AuthorityUnavailable):
                await impatient.admit(key(), reserve=1, tokens=1, model="m")
        async with limits_at(authority, 100) as limits:
            (await limits.admit(key(), reserve=1, tokens=1, model="m")).settle(1, 1)


async def test_a_flushed_redis_refuses_money_until_it_is_seeded_and_nothing_is_spent_twice(redis_url: str, client: redis.Redis) -> None:
    async with authority_at(redis_url, seeds=[]) as authority, authority_at(redis_url) as second:
        async with limits_at(authority, 1000) as limits, limits_at(second, 1000, max_wait=0.5) as others:
            (await limits.admit(key(), reserve=100, tokens=1, model="m")).settle(100, 1)
            open_call = await limits.admit(key(), reserve=300, tokens=1, model="m")
            (await others.admit(key(), reserve=50, tokens=1, model="m")).settle(50, 1)
            client.flushdb()
            with pytest.raises(AuthorityUnavailable):
                await others.admit(key(), reserve=500, tokens=1, model="m")
            # The ledger has heard of nothing yet; the workers remember what is that young.
            await authority.reseed([Seed(ACCOUNT, 0)])
            await until(lambda: client.hmget(f"t:acct:{ACCOUNT}", "taken", "settled") == ["300", "150"])
            with pytest.raises(BudgetExceeded):
                await others.admit(key(), reserve=901, tokens=1, model="unheard of")
            open_call.settle(300, 1)
            (await others.admit(key(), reserve=550, tokens=1, model="m")).settle(550, 1)
            with pytest.raises(BudgetExceeded):
                await limits.admit(key(), reserve=1, tokens=1, model="m")
        assert client.hmget(f"t:acct:{ACCOUNT}", "taken", "settled") == ["0", "1000"]


async def test_who_only_waits_for_an_open_call_to_end_declares_it_in_a_new_epoch_too(redis_url: str, client: redis.Redis) -> None:
    async with authority_at(redis_url, seeds=[]) as authority, limits_at(authority, 1000) as limits:
        await limits.admit(key(), reserve=300, tokens=1, model="m")
        await until(lambda: limits.held() == {ACCOUNT: 300})
        client.flushdb()
        await authority.reseed([])
        await until(lambda: client.hget(f"t:acct:{ACCOUNT}", "taken") == "300")


async def test_what_was_spent_while_redis_was_away_is_declared_however_long_that_took(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataplane.lease_pool.MARK_TICKS", 100)
    relay = Relay(redis_url)
    async with authority_at(await relay.start(), patience=2.0) as authority:
        await authority.reseed([])
        async with limits_at(authority, 1000, upkeep=False) as limits:
            (await limits.admit(key(), reserve=10, tokens=1, model="m")).settle(10, 1)
            relay.away = True
            relay.hang_up()
            with pytest.raises(AuthorityUnavailable):
                await authority.peek(ACCOUNT, limit=1000)
            limits.try_admit(key(), reserve=10, tokens=1, model="m").settle(10, 1)
            for _ in range(500):
                await limits.pool.tick()
            client.flushdb()
            relay.away = False
            await until(lambda: authority.reachable)
            await authority.reseed([Seed(ACCOUNT, 0)])
            await limits.pool.tick()
            await authority.drain()
            assert client.hget(f"t:acct:{ACCOUNT}", "settled") == "20"
    await relay.stop()


async def test_a_flush_in_the_middle_of_200_calls_lets_nobody_overspend(redis_url: str, client: redis.Redis) -> None:
    limit, cost = 50 * 1000, 1000
    spent = 0

    async def one(limits: Limits) -> None:
        nonlocal spent
        while True:
            try:
                await call(limits, key(), reserve=3 * cost, cost=cost)
            except AuthorityUnavailable:
                await asyncio.sleep(0.005)
            else:
                spent += cost
                return

    async with authority_at(redis_url, seeds=[], grace=0.2) as first, authority_at(redis_url, grace=0.2) as second:
        async with limits_at(first, limit) as some, limits_at(second, limit) as others:
            callers = asyncio.gather(*(one(limits) for _ in range(100) for limits in (some, others)), return_exceptions=True)
            await until(lambda: spent >= 10 * cost)
            client.flushdb()
            await first.reseed([Seed(ACCOUNT, 0)])
            outcomes = await asyncio.wait_for(callers, 60)
        assert spent <= limit
        assert sum(outcome is None for outcome in outcomes) == spent // cost
        assert {type(outcome) for outcome in outcomes} == {type(None), BudgetExceeded}


@pytest.mark.parametrize("seed", range(3))
async def test_cut_lines_lost_answers_and_a_flush_neither_overspend_nor_lose_anything(
    redis_url: str, client: redis.Redis, seed: int
) -> None:
    dice = random.Random(seed)  # noqa: S311
    limit, spent = 100_000, 0
    relays = [Relay(redis_url) for _ in range(3)]

    async def caller(number: int, workers: list[Limits]) -> None:
        nonlocal spent
        turn = 0
        while True:
            turn += 1
            try:
                admission = await dice.choice(workers).admit(key(), reserve=dice.randint(1, 800), tokens=1, model=f"{number}-{turn}")
            except AuthorityUnavailable:
                await asyncio.sleep(0.005)
                continue
            except BudgetExceeded:
                return
            await asyncio.sleep(0.002)
            cost = dice.randint(0, admission.reserved)
            spent += cost
            admission.settle(cost, 1)

    async def troubles() -> None:
        for step in range(1, 9):
            await until(lambda: spent >= limit * step // 10, within=20)  # noqa: B023
            relay = dice.choice(relays)
            match step % 4:
                case 0:
                    client.flushdb()
                    await direct.reseed([Seed(ACCOUNT, 0)])
                case 1:
                    relay.hang_up()
                case _:
                    relay.deaf, relay.away = step % 4 == 2, step % 4 == 3
                    relay.hang_up()
                    worker = authorities[relays.index(relay)]
                    await until(lambda: not worker.reachable, within=20)  # noqa: B023
                    relay.deaf = relay.away = False

    async with AsyncExitStack() as stack:
        direct = await stack.enter_async_context(authority_at(redis_url, seeds=[]))
        authorities, workers = [], []
        for relay in relays:
            stack.push_async_callback(relay.stop)
            authorities.append(await stack.enter_async_context(authority_at(await relay.start(), grace=0.3, patience=0.5)))
            workers.append(await stack.enter_async_context(limits_at(authorities[-1], limit)))
        trouble = asyncio.create_task(troubles())
        await asyncio.wait_for(asyncio.gather(trouble, *(caller(number, workers) for number in range(60))), 60)
    assert spent == limit
    assert client.hmget(f"t:acct:{ACCOUNT}", "taken", "settled") == ["0", str(limit)]


async def test_a_restarted_redis_is_not_trusted_until_it_is_seeded(redis_url: str, client: redis.Redis) -> None:
    """Another run id is what a restart looks like, whatever it has loaded from its disk."""
    async with authority_at(redis_url, seeds=[]) as authority:
        await authority.take(ACCOUNT, need=10, want=1, limit=100)
        client.hset("t:epoch", "run", "of-a-process-that-is-gone")
        assert not await authority.health()
        with pytest.raises(AuthorityUnavailable):
            await authority.take(ACCOUNT, need=10, want=1, limit=100)
        await authority.reseed([])
        assert (await authority.take(ACCOUNT, need=10, want=1, limit=100)).outstanding == 10


async def test_a_reference_of_an_earlier_epoch_gives_nothing_back(redis_url: str) -> None:
    async with authority_at(redis_url, seeds=[]) as authority:
        await authority.take(ACCOUNT, need=10, want=1, limit=100)
        earlier = f"{ACCOUNT}@{authority.epoch}"
        await authority.reseed([])
        await authority.take(ACCOUNT, need=30, want=1, limit=100)
        await authority.give_back(earlier, 10)
        await authority.settle(earlier, 10)
        assert (await authority.peek(ACCOUNT, limit=100))[1:3] == (70, 30)
        await authority.give_back(f"{ACCOUNT}@{authority.epoch}", 10)
        assert (await authority.peek(ACCOUNT, limit=100))[1:3] == (80, 20)
