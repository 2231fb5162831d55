"""The authority in Redis: exact through lost answers, and honest when it is away, emptied or restarted."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataplane.authority import Grant, LocalAuthority, Seed, Settling
from dataplane.errors import AuthorityUnavailable, BudgetExceeded, RateLimited
from dataplane.limits import Limits
from dataplane.redis_authority import RedisAuthority
from tests.dataplane.budgeted import Clock, budget, call, house, key, until

ACCOUNT = "budget:1:2026-11"
PATIENCE = 10.0


class Relay:
    """Stands between a worker and Redis. `deaf`: passes on what is asked but not what is answered; `away`: hangs up."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port or 6379)
        self._database = parts.path
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.deaf = self.away = False
        self.passed = 0

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{self._database}"

    async def stop(self) -> None:
        self._server.close()
        self.away = True
        self.hang_up()
        await asyncio.gather(*self._serving)
        await self._server.wait_closed()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.away:
            writer.close()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pass(reader, far_writer, answers=False), self._pass(far_reader, writer, answers=True))
        self._writers -= {writer, far_writer}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        try:
            while data := await reader.read(65536):
                if self.deaf and answers:
                    self.passed += 1
                    continue
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as found:
        yield found


@pytest.fixture(autouse=True)
def _a_ledger_that_hears_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, nothing that was spent in these tests is old enough to be in the ledger."""
    monkeypatch.setattr("dataplane.lease_pool.MARK_TICKS", 1 << 40)


@asynccontextmanager
async def authority_at(
    url: str, *, prefix: str = "t", grace: float = 0, patience: float = PATIENCE, seeds: list[Seed] | None = None
) -> AsyncIterator[RedisAuthority]:
    authority = RedisAuthority(url, prefix=prefix, grace=grace, timeout=patience)
    try:
        if seeds is not None:
            await authority.reseed(seeds)
        yield authority
    finally:
        await authority.close()


@asynccontextmanager
async def limits_at(authority: RedisAuthority, limit: int, *, upkeep: bool = True, max_wait: float = 10.0) -> AsyncIterator[Limits]:
    limits = Limits(authority, clock=Clock(), max_wait=max_wait)
    limits.configure(house(budget(limit)))
    if upkeep:
        await limits.start()
    try:
        yield limits
    finally:
        await limits.close()


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
