"""Which address of an upstream is called, and how long its name may take to resolve."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dataplane import upstream
from dataplane.upstream import Lost, Refused, Upstream
from tests.fakes.provider import Provider, said
from tests.fakes.serving import serving, unanswering


@pytest.fixture
def place() -> Iterator[str]:
    provider = Provider()
    provider.fallback = said({})
    with serving(provider) as url:
        yield url.replace("127.0.0.1", "localhost")


class Names:
    """What the loop's resolver answers, and how often it was asked. `wait` holds it back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0
        self.wait: asyncio.Event | None = None
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.resolve)

    async def resolve(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked += 1
        if self.wait is not None:
            await self.wait.wait()
        if not self.addresses:
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.addresses]


def at(url: str, *, connect: float = 5.0) -> Upstream:
    return Upstream(url, allow_private=True, timeouts=(connect, 5, 5))


async def status(place: Upstream, url: str) -> int:
    answer = await place.send("GET", url, headers=[])
    await answer.close()
    return answer.status


async def test_the_next_address_is_called_when_one_refuses(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, "127.0.0.9", "127.0.0.1")
    assert await status(at(place), place) == 200


async def test_a_call_goes_to_another_address_after_one_that_never_connected(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    with unanswering() as silent:
        url = silent.replace("127.0.0.1", "localhost")
        Names(monkeypatch, "127.0.0.1", "127.0.0.9")
        caller = at(url, connect=0.2)
        with pytest.raises(Lost, match="in time"):
            await status(caller, url)
        assert caller._next == 1


async def test_connections_are_kept_as_long_as_the_name_has_their_address(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, "127.0.0.1")
    monkeypatch.setattr(upstream, "PIN_SECONDS", 0.0)
    caller = at(place)
    clients = set()
    for addresses in (["127.0.0.1"], ["127.0.0.9", "127.0.0.1"], []):
        names.addresses = addresses
        assert await status(caller, place) == 200
        clients.add(id(caller._client))
    assert names.asked == 3
    assert len(clients) == 1


async def test_a_name_that_comes_to_point_where_nobody_may_call_is_refused_at_once(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names(monkeypatch, "127.0.0.1")
    monkeypatch.setattr(upstream, "PIN_SECONDS", 0.0)
    caller = at(place)
    assert await status(caller, place) == 200
    names.addresses = ["169.254.169.254"]
    for _ in range(2):
        with pytest.raises(Refused):
            await status(caller, place)


async def test_many_calls_wait_for_one_look_up_and_none_longer_than_for_a_connection(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    names = Names(monkeypatch, "127.0.0.1")
    names.wait = asyncio.Event()
    caller, started = at(place, connect=0.2), time.monotonic()
    results = await asyncio.gather(*(status(caller, place) for _ in range(20)), return_exceptions=True)
    assert time.monotonic() - started < 2
    assert {type(result) for result in results} == {Lost}
    assert names.asked == 1
    names.wait.set()
    assert await status(caller, place) == 200
