"""A Redis that can be cut off, slowed and heard, and workers on it, for the tests of the shared authority."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
import redis

from dataplane.authority import Seed
from dataplane.limits import Limits
from dataplane.redis_authority import RedisAuthority
from tests.dataplane.budgeted import Clock, budget, house

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
