"""The authority in Redis: exact through lost answers, and honest when it is away, emptied or restarted."""

from __future__ import annotations

import asyncio
import time

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataplane.authority import Grant, LocalAuthority, Seed
from dataplane.errors import AuthorityUnavailable, RateLimited
from dataplane.limits import Limits
from dataplane.redis_authority import RedisAuthority
from tests.dataplane.budgeted import Clock, budget, house, key, until
from tests.dataplane.relayed import ACCOUNT, PATIENCE, Relay, _a_ledger_that_hears_of_nothing, authority_at, client, limits_at

__all__ = ["_a_ledger_that_hears_of_nothing", "client"]


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["take", "alone", "tell", "seed", "settle", "give_back", "peek"]),
        st.sampled_from(["budget:1:all", "conc:key:1"]),
        st.integers(0, 300),
        st.integers(0, 300),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OPERATIONS)
def test_it_answers_what_the_authority_in_process_answers(redis_url: str, operations: list[tuple[str, str, int, int]]) -> None:
    async def both() -> None:
        local = LocalAuthority()
        async with authority_at(redis_url, seeds=[]) as remote:
            await remote.reseed([Seed("budget:1:all", 0), Seed("conc:key:1", 0)])
            await remote.peek("budget:1:all", limit=1)
            await local.reseed([Seed("budget:1:all", 0), Seed("conc:key:1", 0)])
            for kind, account, first, second in operations:
                answers = [_without_epoch(await _do(authority, kind, account, first, second)) for authority in (local, remote)]
                assert answers[0] == answers[1]

    asyncio.run(both())


async def _do(authority: LocalAuthority | RedisAuthority, kind: str, account: str, first: int, second: int) -> Grant | None:
    if kind in ("take", "alone"):
        return await authority.take(account, need=first, want=first * 4, limit=1000, least=second // 2, alone=kind == "alone")
    if kind == "tell":
        authority.tell(account, spent=first, released=second)
    elif kind == "seed":
        await authority.seed(account, first)
    elif kind == "settle":
        await authority.settle(account, first)
    elif kind == "give_back":
        await authority.give_back(account, first)
    return await authority.peek(account, limit=1000)


def _without_epoch(grant: Grant) -> tuple[object, ...]:
    return grant[:4]


async def test_an_account_in_redis_is_a_hash_that_outlives_its_window_and_not_much_more(redis_url: str, client: redis.Redis) -> None:
    async with authority_at(redis_url, seeds=[]) as authority, limits_at(authority, 1000) as limits:
        (await limits.admit(key(rpm=8, concurrency=8), reserve=10, tokens=1, model="m")).settle(10, 1)
        assert set(client.hgetall(f"t:acct:{ACCOUNT}")) == {"e", "taken"}
        month = 9 * 86_400
        assert month < client.ttl(f"t:acct:{ACCOUNT}") < month + 86_400
        assert 0 < client.ttl(f"t:acct:rpm:key:1:{int(Clock().now // 60)}") <= 180
        assert 0 < client.ttl("t:acct:conc:key:1") <= 3600
    assert client.hgetall(f"t:acct:{ACCOUNT}") == {"e": authority.epoch, "taken": "0", "settled": "10"}


@pytest.mark.parametrize("limit", [2**53 + 5000, 10**17, 2**62])
async def test_sums_beyond_what_a_double_can_count_are_exact_and_never_above_the_limit(redis_url: str, limit: int) -> None:
    async with authority_at(redis_url, seeds=[Seed(ACCOUNT, limit - 10_001)]) as authority:
        granted = (await authority.take(ACCOUNT, need=3333, want=1, limit=limit)).granted
        assert granted == 3333
        await authority.settle(ACCOUNT, granted)
        for need in (6668, 6668 - 4096 + 2048):
            granted += (await authority.take(ACCOUNT, need=need, want=1, limit=limit)).granted
        assert granted <= 10_001
        await authority.settle(ACCOUNT, 1)


async def test_a_caller_with_a_slice_at_hand_does_not_wait_for_redis(redis_url: str) -> None:
    async with authority_at(redis_url, seeds=[]) as authority, limits_at(authority, 10_000, upkeep=False) as limits:
        caller = key(rpm=1000)
        assert limits.try_admit(caller, reserve=10, tokens=1, model="m") is None
        (await limits.admit(caller, reserve=10, tokens=1, model="m")).settle(10, 1)
        admission = limits.try_admit(caller, reserve=10, tokens=1, model="m")
        assert admission is not None
        assert admission.accounts == (f"{ACCOUNT}@{authority.epoch}",)
        admission.settle(10, 1)


async def test_an_answer_that_got_lost_is_not_counted_twice(redis_url: str, client: redis.Redis) -> None:
    relay = Relay(redis_url)
    async with authority_at(await relay.start(), patience=0.2) as authority:
        await authority.reseed([])
        await authority.take(ACCOUNT, need=100, want=1, limit=10_000)
        relay.deaf = True
        told = asyncio.create_task(authority.settle(ACCOUNT, 40))
        authority.tell(ACCOUNT, spent=0, released=7)
        await until(lambda: relay.passed > 2)
        assert client.hmget(f"t:acct:{ACCOUNT}", "taken", "settled") == ["53", "40"]
        relay.deaf = False
        await asyncio.wait_for(told, PATIENCE)
        assert client.hmget(f"t:acct:{ACCOUNT}", "taken", "settled") == ["53", "40"]
    await relay.stop()


async def test_a_slice_whose_taker_has_given_up_goes_back(redis_url: str, client: redis.Redis) -> None:
    relay = Relay(redis_url)
    async with authority_at(await relay.start(), patience=0.2) as authority:
        await authority.reseed([])
        await authority.take(ACCOUNT, need=10, want=1, limit=10_000)
        relay.deaf = True
        with pytest.raises(AuthorityUnavailable):
            await authority.take(ACCOUNT, need=100, want=1, limit=10_000)
        assert client.hget(f"t:acct:{ACCOUNT}", "taken") == "110"
        relay.deaf = False
        await until(lambda: client.hget(f"t:acct:{ACCOUNT}", "taken") == "10")
    await relay.stop()


async def test_a_slice_whose_taker_was_cancelled_goes_back(redis_url: str, client: redis.Redis) -> None:
    async with authority_at(redis_url, seeds=[]) as authority:
        await authority.peek(ACCOUNT, limit=1)
        taking = asyncio.create_task(authority.take(ACCOUNT, need=100, want=1, limit=10_000))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        await authority.drain()
        assert client.hget(f"t:acct:{ACCOUNT}", "taken") in (None, "0")


async def test_a_connection_closed_in_its_sleep_is_not_noticed(redis_url: str) -> None:
    relay = Relay(redis_url)
    async with authority_at(await relay.start()) as authority:
        await authority.reseed([])
        await authority.take(ACCOUNT, need=10, want=1, limit=100)
        relay.hang_up()
        assert (await authority.take(ACCOUNT, need=10, want=1, limit=100)).outstanding == 20
        assert authority.reachable
    await relay.stop()


async def test_with_redis_away_slices_are_spent_then_money_is_refused_at_once_and_it_recovers_by_itself(redis_url: str) -> None:
    relay = Relay(redis_url)
    async with authority_at(await relay.start(), patience=2.0) as authority:
        await authority.reseed([])
        async with limits_at(authority, 1000, upkeep=False) as limits:
            (await limits.admit(key(), reserve=10, tokens=1, model="m")).settle(10, 1)
            held = limits.held()[ACCOUNT]
            relay.away = True
            relay.hang_up()
            for _ in range(held // 10):
                (await limits.admit(key(), reserve=10, tokens=1, model="m")).settle(10, 1)
            for _ in range(3):
                with pytest.raises(AuthorityUnavailable) as caught:
                    await limits.admit(key(), reserve=10, tokens=1, model="m")
                assert caught.value.status == 503
            relay.away = False
            await until(lambda: authority.reachable)
            (await limits.admit(key(), reserve=10, tokens=1, model="m")).settle(10, 1)
            spent = 10 + held // 10 * 10 + 10
        assert (await authority.peek(ACCOUNT, limit=1000))[1:3] == (1000 - spent, 0)
    await relay.stop()


async def test_a_redis_that_does_not_answer_is_given_up_after_a_quarter_of_a_second(redis_url: str) -> None:
    relay = Relay(redis_url)
    async with authority_at(await relay.start(), patience=0.25) as authority:
        relay.deaf = True
        begun = time.monotonic()
        with pytest.raises(AuthorityUnavailable):
            await authority.take(ACCOUNT, need=10, want=1, limit=100)
        assert time.monotonic() - begun < 2.0
        begun = time.monotonic()
        with pytest.raises(AuthorityUnavailable):
            await authority.take(ACCOUNT, need=10, want=1, limit=100)
        assert time.monotonic() - begun < 0.1
        assert not await authority.health()
    await relay.stop()


async def test_without_redis_fairness_limits_are_counted_by_each_worker_and_money_is_refused() -> None:
    async with authority_at("redis://127.0.0.1:1/0") as authority:
        limits = Limits(authority, clock=Clock())
        limits.configure(house(budget(1000)))
        caller = key(rpm=20, concurrency=2)
        open_calls = [await limits.admit(caller, reserve=None, tokens=1, model="m") for _ in range(2)]
        with pytest.raises(RateLimited, match="2 calls at a time"):
            await limits.admit(caller, reserve=None, tokens=1, model="m")
        for admission in open_calls:
            admission.settle(None, 1)
        for _ in range(18):
            (await limits.admit(caller, reserve=None, tokens=1, model="m")).settle(None, 1)
        with pytest.raises(RateLimited, match="20 requests per minute"):
            await limits.admit(caller, reserve=None, tokens=1, model="m")
        with pytest.raises(AuthorityUnavailable):
            await limits.admit(key(), reserve=1, tokens=1, model="m")
        with pytest.raises(AuthorityUnavailable):
            await authority.reseed([])
        await limits.close()


async def test_what_a_worker_granted_itself_is_counted_when_redis_is_back(redis_url: str, client: redis.Redis) -> None:
    relay = Relay(redis_url)
    relay.away = True
    async with authority_at(await relay.start(), patience=2.0) as authority:
        async with limits_at(authority, 0) as limits:
            open_call = await limits.admit(key(rpm=80, concurrency=8), reserve=None, tokens=1, model="m")
            relay.away = False
            await until(lambda: client.hget("t:acct:conc:key:1", "taken") == "1")
            rpm = f"t:acct:rpm:key:1:{int(Clock().now // 60)}"
            await until(lambda: client.hmget(rpm, "taken", "settled") == ["0", "1"])
            open_call.settle(None, 1)
        assert client.hget("t:acct:conc:key:1", "taken") == "0"
    await relay.stop()


async def test_a_starved_worker_gets_what_another_has_idle(redis_url: str) -> None:
    async with (
        authority_at(redis_url, seeds=[]) as first,
        authority_at(redis_url) as second,
        limits_at(first, 1000, upkeep=False) as rich,
        limits_at(second, 1000) as poor,
    ):
        (await rich.admit(key(), reserve=50, tokens=1, model="m")).settle(0, 1)
        assert rich.held()[ACCOUNT] == 125
        waiting = asyncio.create_task(poor.admit(key(), reserve=1000, tokens=1, model="n"))
        await until(lambda: any(lease.waiters for lease in poor.pool.known()))
        rich.try_admit(key(), reserve=50, tokens=1, model="m").settle(0, 1)  # not idle: only hunger can be the reason
        await rich.pool.tick()
        assert rich.held() == {}
        assert (await asyncio.wait_for(waiting, PATIENCE)).reserved == 1000


async def test_a_minutes_requests_held_idle_by_another_worker_are_not_refused_here(redis_url: str) -> None:
    async with (
        authority_at(redis_url, seeds=[]) as first,
        authority_at(redis_url) as second,
        limits_at(first, 0) as rich,
        limits_at(second, 0) as poor,
    ):
        caller = key(rpm=40)
        (await rich.admit(caller, reserve=None, tokens=1, model="m")).settle(None, 1)
        for _ in range(39):
            (await poor.admit(caller, reserve=None, tokens=1, model="m")).settle(None, 1)
        with pytest.raises(RateLimited):
            await poor.admit(caller, reserve=None, tokens=1, model="m")


async def test_workers_share_what_calls_cost(redis_url: str) -> None:
    async with (
        authority_at(redis_url, seeds=[]) as first,
        authority_at(redis_url) as second,
        limits_at(first, 1000) as one,
        limits_at(second, 1000, upkeep=False) as other,
    ):
        (await one.admit(key(), reserve=10, tokens=1, model="m")).settle(7, 1)
        (await one.admit(key(), reserve=10, tokens=1, model="m")).settle(9, 1)
        await one.pool.tick()
        await first.drain()
        assert await second.expected("m") == 9
        assert await second.expected("unheard of") is None
        admission = await other.admit(key(), reserve=5000, tokens=1, model="m")
        assert admission.reserved == 9


async def test_a_soft_budget_counts_what_all_workers_spend(redis_url: str) -> None:
    async with authority_at(redis_url, seeds=[]) as first, authority_at(redis_url) as second:
        soft = house(budget(100, mode="soft"))
        one, other = Limits(first, clock=Clock()), Limits(second, clock=Clock())
        for limits in (one, other):
            limits.configure(soft)
            await limits.start()
        (await one.admit(key(), reserve=500, tokens=1, model="m")).settle(150, 1)
        admission = await other.admit(key(), reserve=500, tokens=1, model="m")
        await until(lambda: admission.over_soft)
        admission.settle(10, 1)
        for limits in (one, other):
            await limits.close()
        assert (await first.peek(ACCOUNT, limit=100)).free == -60


async def test_an_account_that_is_something_else_fails_alone(redis_url: str, client: redis.Redis) -> None:
    async with authority_at(redis_url, seeds=[]) as authority:
        client.set(f"t:acct:{ACCOUNT}", "not a hash")
        answers = await asyncio.gather(
            authority.take("budget:2:all", need=1, want=1, limit=10),
            authority.take(ACCOUNT, need=1, want=1, limit=10),
            authority.take("budget:2:all", need=1, want=1, limit=10),
            return_exceptions=True,
        )
        assert [getattr(answer, "granted", type(answer)) for answer in answers] == [1, AuthorityUnavailable, 1]
        assert authority.reachable
        assert (await authority.peek("budget:2:all", limit=10)).outstanding == 2


async def test_a_redis_that_can_not_write_is_away_until_it_can(redis_url: str, client: redis.Redis) -> None:
    """What a full memory or a read-only replica looks like: here the worker's own key is in the way."""
    async with authority_at(redis_url, seeds=[]) as authority:
        await authority.take(ACCOUNT, need=5, want=1, limit=10)
        (link,) = client.keys("t:link:*")
        client.delete(link)
        client.set(link, "in the way")
        with pytest.raises(AuthorityUnavailable):
            await authority.take(ACCOUNT, need=1, want=1, limit=10)
        authority.tell(ACCOUNT, spent=2, released=2)
        client.delete(link)
        await until(lambda: client.hmget(f"t:acct:{ACCOUNT}", "taken", "settled") == ["3", "2"])
        assert authority.reachable


async def test_who_waits_when_redis_goes_away_is_told_so(redis_url: str) -> None:
    relay = Relay(redis_url)
    async with authority_at(await relay.start(), patience=2.0) as authority:
        await authority.reseed([])
        async with limits_at(authority, 100) as limits:
            await limits.admit(key(), reserve=100, tokens=1, model="m")
            waiting = asyncio.create_task(limits.admit(key(), reserve=50, tokens=1, model="n"))
            await until(lambda: any(lease.waiters for lease in limits.pool.known()))
            relay.away = True
            relay.hang_up()
            with pytest.raises(AuthorityUnavailable):
                await asyncio.wait_for(waiting, PATIENCE)
    await relay.stop()


async def test_a_closed_authority_answers_nobody(redis_url: str) -> None:
    async with authority_at(redis_url, seeds=[]) as authority:
        pass
    with pytest.raises(AuthorityUnavailable):
        await authority.take(ACCOUNT, need=1, want=1, limit=10)
    authority.tell(ACCOUNT, spent=1, released=1)
    await authority.drain()
