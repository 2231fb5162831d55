"""Pins: known at once, durable soon after, the first owner's for good."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import redis
import redis.asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.errors import Unavailable
from dataplane.pins import KEPT_SECONDS, TOUCH_AFTER, Pin, Pins
from dataplane.pins_file import FileShelf
from dataplane.pins_redis import RedisShelf
from tests.fakes.serving import refusing

MINE = Pin(provider=1, provider_name="openai", owner="team:1", kind="file")
THEIRS = Pin(provider=1, provider_name="openai", owner="team:2", kind="file")
OPEN = Pin(provider=1, provider_name="openai", owner="team:1", kind="batch", note='{"wire": "openai"}', open=True)


def is_like(found: Pin | None, expected: Pin) -> bool:
    """But for when it was used."""
    return found is not None and Pin(**{name: getattr(found, name) for name in Pin.__struct_fields__ if name != "at"}) == expected


async def test_what_is_remembered_is_known_at_once_and_forgotten_at_once() -> None:
    pins = Pins()
    pins.remember("file_1", MINE)
    assert is_like(await pins.find("file_1"), MINE)
    assert await pins.find("file_2") is None
    pins.forget("file_1")
    assert await pins.find("file_1") is None


@pytest.mark.parametrize("other", [THEIRS, Pin(provider=2, provider_name="else", owner="team:1", kind="file")])
async def test_an_id_never_passes_to_another_owner_or_provider(other: Pin) -> None:
    pins = Pins()
    pins.remember("file_1", MINE)
    pins.remember("file_1", other)
    assert is_like(await pins.find("file_1"), MINE)


async def test_memory_is_bounded_and_what_is_open_stays() -> None:
    pins = Pins(most=10)
    pins.remember("batch_1", OPEN)
    for number in range(100):
        pins.remember(f"file_{number}", MINE)
    assert await pins.find_all(["file_89", "file_99"]) != [None, None]
    assert await pins.find("file_89") is None
    assert [ident for ident, _ in await pins.open()] == ["batch_1"]
    assert is_like(await pins.find("batch_1"), OPEN)


@pytest.mark.parametrize("ident", ["", "a b", "a\r\nb", "x" * 201, "ä", "a/b", "{}"])
async def test_what_can_not_be_an_id_is_neither_kept_nor_found(ident: str) -> None:
    pins = Pins()
    pins.remember(ident, MINE)
    assert await pins.find(ident) is None


async def test_a_claim_is_one_workers_while_it_lasts() -> None:
    pins = Pins()
    assert [await pins.claim("batch_1", 60), await pins.claim("batch_1", 60), await pins.claim("batch_2", 60)] == [True, False, True]


async def test_a_claim_that_is_released_is_the_next_ones() -> None:
    pins = Pins()
    assert await pins.claim("batch_1", 60)
    await pins.release("batch_1")
    assert await pins.claim("batch_1", 60)


async def restarted(path: Path, *, most: int = 1000) -> Pins:
    pins = Pins(FileShelf(path, most=most), most=most)
    await pins.start()
    return pins


async def test_a_file_keeps_pins_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "home" / "pins.jsonl"
    first = await restarted(path)
    first.remember("file_1", MINE)
    first.remember("file_2", MINE)
    first.remember("batch_1", OPEN)
    first.forget("file_2")
    await first.close()
    second = await restarted(path)
    assert is_like(await second.find("file_1"), MINE)
    assert await second.find("file_2") is None
    assert [ident for ident, _ in await second.open()] == ["batch_1"]
    assert path.stat().st_mode & 0o777 == 0o600
    await second.close()


async def test_a_torn_line_is_passed_over_and_what_comes_after_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "pins.jsonl"
    first = await restarted(path)
    first.remember("file_1", MINE)
    await first.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b"\xff{}\nnonsense\n" + whole[: len(whole) // 2])
    second = await restarted(path)
    second.remember("file_2", MINE)
    await second.close()
    third = await restarted(path)
    assert is_like(await third.find("file_1"), MINE)
    assert is_like(await third.find("file_2"), MINE)
    assert all(json.loads(line) for line in path.read_bytes().splitlines())
    await third.close()


async def test_a_file_does_not_grow_without_end(tmp_path: Path) -> None:
    path = tmp_path / "pins.jsonl"
    pins = await restarted(path, most=20)
    pins.remember("batch_1", OPEN)
    for number in range(300):
        pins.remember(f"file_{number}", MINE)
        if number % 7 == 0:
            await asyncio.wait({pins._shelf._writer})  # type: ignore[union-attr]
    await pins.close()
    assert len(path.read_bytes().splitlines()) <= 70
    again = await restarted(path, most=20)
    assert is_like(await again.find("file_299"), MINE)
    assert [ident for ident, _ in await again.open()] == ["batch_1"]
    assert len(path.read_bytes().splitlines()) <= 21
    await again.close()


async def test_what_was_not_used_for_long_leaves_the_file_and_what_is_used_stays(tmp_path: Path) -> None:
    path = tmp_path / "pins.jsonl"
    past = time.time() - KEPT_SECONDS - 60
    old = Pins(FileShelf(path), clock=lambda: past)
    await old.start()
    old.remember("file_old", MINE)
    await old.close()
    past += TOUCH_AFTER + 3600
    used = Pins(FileShelf(path), clock=lambda: past)
    used.remember("file_used", MINE)
    past += TOUCH_AFTER + 1
    await used.find("file_used")
    await used.close()
    pins = await restarted(path)
    assert await pins.find("file_old") is None
    assert await pins.find("file_used") is not None
    await pins.close()


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from(["mine", "theirs", "open", "forget", "restart"])),
        max_size=20,
    )
)
def test_a_file_tells_after_a_restart_what_memory_told_before(
    steps: list[tuple[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("pins") / "pins.jsonl"

    async def walk() -> None:
        pins = await restarted(path)
        for ident, step in steps:
            if step == "restart":
                told = await pins.find_all(["a", "b"])
                await pins.close()
                pins = await restarted(path)
                assert await pins.find_all(["a", "b"]) == told
            elif step == "forget":
                pins.forget(ident)
            else:
                pins.remember(ident, {"mine": MINE, "theirs": THEIRS, "open": OPEN}[step])
        await pins.close()

    asyncio.run(walk())


# -- Redis


@pytest.fixture
async def workers(redis_url: str) -> AsyncIterator[tuple[Pins, Pins]]:
    pair = Pins(RedisShelf(redis_url)), Pins(RedisShelf(redis_url))
    yield pair
    for pins in pair:
        await pins.close()


async def written(pins: Pins) -> None:
    """What waits has gone out."""
    shelf = pins._shelf
    assert isinstance(shelf, RedisShelf)
    if shelf._writer is not None:
        await shelf._writer


async def as_another_finds(url: str, ident: str) -> Pin | None:
    """What a worker tells that has only just started."""
    pins = Pins(RedisShelf(url))
    try:
        return await pins.find(ident)
    finally:
        await pins.close()


async def test_two_workers_share_what_they_know(workers: tuple[Pins, Pins], redis_url: str) -> None:
    one, other = workers
    one.remember("file_1", MINE)
    one.remember("batch_1", OPEN)
    await written(one)
    assert is_like(await other.find("file_1"), MINE)
    assert [ident for ident, _ in await other.open()] == ["batch_1"]
    other.remember("batch_1", Pin(provider=1, provider_name="openai", owner="team:1", kind="batch"))
    await written(other)
    assert await one.open() == []
    assert not (await one.find("batch_1", fresh=True)).open  # type: ignore[union-attr]
    one.forget("file_1")
    await written(one)
    assert await as_another_finds(redis_url, "file_1") is None
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.ttl("ch:pin:batch_1") <= KEPT_SECONDS


async def test_who_remembered_an_id_first_keeps_it_among_workers(workers: tuple[Pins, Pins]) -> None:
    one, other = workers
    one.remember("file_1", MINE)
    await written(one)
    other.remember("file_1", THEIRS)
    await written(other)
    assert is_like(await other.find("file_1"), MINE)
    assert is_like(await one.find("file_1", fresh=True), MINE)


async def test_a_claim_is_one_workers_among_all(workers: tuple[Pins, Pins]) -> None:
    assert [await pins.claim("batch_1", 60) for pins in workers] == [True, False]
    await workers[0].release("batch_1")
    assert await workers[1].claim("batch_1", 60)


async def test_a_batch_that_ran_out_is_looked_for_no_more(workers: tuple[Pins, Pins], redis_url: str) -> None:
    one, other = workers
    one.remember("batch_1", OPEN)
    await written(one)
    with redis.Redis.from_url(redis_url) as client:
        client.delete("ch:pin:batch_1")
        assert await other.open() == []
        await written(other)
        assert client.smembers("ch:pins:open") == set()


async def test_with_redis_away_memory_serves_and_what_waits_goes_out_when_it_is_back(redis_url: str) -> None:
    with refusing() as address:
        pins = Pins(RedisShelf(address.replace("http", "redis")))
        pins.remember("file_1", MINE)
        pins.remember("file_2", MINE)
        assert is_like(await pins.find("file_1"), MINE)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await pins.find("file_unknown")
        shelf = pins._shelf
        assert isinstance(shelf, RedisShelf)
        away, shelf._redis = shelf._redis, redis.asyncio.Redis.from_url(redis_url)
        await away.aclose()
        await written(pins)
        assert is_like(await as_another_finds(redis_url, "file_2"), MINE)
        await pins.close()


async def test_what_waits_while_redis_is_away_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataplane.pins_redis.MOST_WAITING", 5)
    monkeypatch.setattr("dataplane.pins_redis.FAREWELL", 0.0)
    with refusing() as address:
        shelf = RedisShelf(address.replace("http", "redis"))
        pins = Pins(shelf)
        for number in range(50):
            pins.remember(f"file_{number}", MINE)
        assert list(shelf._waiting) == [f"file_{number}" for number in range(45, 50)]
        assert is_like(await pins.find("file_0"), MINE)
        await pins.close()


async def test_what_a_newer_version_wrote_is_not_taken_for_something_else(workers: tuple[Pins, Pins], redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("ch:pin:file_1", b'{"provider": "seven"}')
        client.set("ch:pin:file_2", b'{"provider":1,"provider_name":"openai","owner":"team:1","kind":"file","later":[1]}')
    found: Sequence[Pin | None] = await workers[0].find_all(["file_1", "file_2"])
    assert found[0] is None
    assert is_like(found[1], MINE)
