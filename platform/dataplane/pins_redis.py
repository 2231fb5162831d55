"""Pins of a house of several processes, in Redis:

    ch:pin:<id>           string   the pin as JSON, until forty days after its last use
    ch:pins:open          set      ids that something is still to be done about
    ch:pins:claim:<name>  string   a worker does what this name stands for, until the key runs out

Nothing waits for a write: they go out in batches, and while Redis is away they wait here, a bounded number of them. A
look-up of what is not in memory asks Redis once and gives up soon.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from dataplane.errors import Unavailable
from dataplane.pins import KEPT_SECONDS, Pin

log = logging.getLogger("customhouse.pins")

TIMEOUT = 0.5
"""Seconds that a look-up waits, connecting included."""

MOST_WAITING = 50_000
AT_ONCE = 500
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
AWAY_SECONDS = 0.5
"""After Redis did not answer, nobody waits for it again for so long."""

FAREWELL = 2.0

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Pin).decode
_AWAY = (RedisError, OSError, TimeoutError)


class Write(NamedTuple):
    """`pin` None: the id is gone."""

    pin: Pin | None
    fresh: bool


class RedisShelf:
    """Belongs to one event loop."""

    shared = True

    def __init__(self, url: str, *, prefix: str = "ch", timeout: float = TIMEOUT) -> None:
        self.correct: Callable[[str, Pin], None] = lambda ident, pin: None
        self._redis: Redis = Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 1))
        self._prefix = prefix
        self._open_key = f"{prefix}:pins:open"
        self._timeout = timeout
        self._waiting: dict[str, Write] = {}
        self._away_until = 0.0
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> Iterable[tuple[str, Pin]]:
        return ()

    def put(self, ident: str, pin: Pin, *, fresh: bool) -> None:
        earlier = self._waiting.get(ident)
        self._wait(ident, Write(pin, fresh or (earlier is not None and earlier.pin is not None and earlier.fresh)))

    def drop(self, ident: str) -> None:
        self._wait(ident, Write(None, False))

    async def get(self, ids: Sequence[str]) -> list[Pin | None]:
        waiting = {ident: self._waiting[ident].pin for ident in ids if ident in self._waiting}
        missing = [ident for ident in ids if ident not in waiting]
        told = await self._ask(lambda redis: redis.mget([self._key(ident) for ident in missing])) if missing else []
        found = dict(zip(missing, map(_pin, told), strict=True)) | waiting
        return [found[ident] for ident in ids]

    async def open_ids(self) -> list[str]:
        told = await self._ask(lambda redis: redis.smembers(self._open_key))
        return sorted(member.decode() for member in told)

    async def claim(self, name: str, seconds: int) -> bool:
        return bool(await self._ask(lambda redis: redis.set(self._claim_key(name), b"1", nx=True, ex=seconds)))

    async def release(self, name: str) -> None:
        await self._ask(lambda redis: redis.delete(self._claim_key(name)))

    async def close(self) -> None:
        """Gives what waits a moment to get out."""
        writer = self._writer
        if writer is not None and not writer.done():
            await asyncio.wait({writer}, timeout=FAREWELL)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        if self._waiting:
            log.error("%d pins could not be written to Redis and are lost", len(self._waiting))
        with contextlib.suppress(*_AWAY):
            await self._redis.aclose()

    async def _ask(self, command: Callable[[Any], Any]) -> Any:
        if time.monotonic() < self._away_until:
            raise Unavailable("What is stored can not be looked up at the moment.", code="pins_unavailable")
        try:
            async with asyncio.timeout(self._timeout):
                told = await command(self._redis)
        except _AWAY as error:
            self._lost(error)
            raise Unavailable("What is stored can not be looked up at the moment.", code="pins_unavailable") from error
        self._away_until = 0.0
        return told

    def _claim_key(self, name: str) -> str:
        return f"{self._prefix}:pins:claim:{name}"

    def _key(self, ident: str) -> str:
        return f"{self._prefix}:pin:{ident}"

    def _lost(self, error: BaseException) -> None:
        if not self._away_until:
            log.warning("Redis does not answer for pins: %s", error)
        self._away_until = time.monotonic() + AWAY_SECONDS

    def _wait(self, ident: str, write: Write) -> None:
        self._waiting.pop(ident, None)
        self._waiting[ident] = write
        if len(self._waiting) > MOST_WAITING:
            lost = next(iter(self._waiting))
            del self._waiting[lost]
            log.error("Redis is away for too long: the pin of %s is not kept beyond this process", lost)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_all())

    async def _write_all(self) -> None:
        failures = 0
        while self._waiting:
            batch = dict(list(self._waiting.items())[:AT_ONCE])
            try:
                async with asyncio.timeout(4 * self._timeout):
                    taken = await self._write(batch)
            except _AWAY as error:
                failures += 1
                self._lost(error)
                await asyncio.sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures, 10)))
                continue
            failures, self._away_until = 0, 0.0
            for ident, write in batch.items():
                if self._waiting.get(ident) is write:  # what was changed meanwhile goes out once more
                    del self._waiting[ident]
                elif (later := self._waiting.get(ident)) is not None and ident not in taken:
                    self._waiting[ident] = later._replace(fresh=False)
            for ident, pin in taken.items():
                self.correct(ident, pin)

    async def _write(self, batch: dict[str, Write]) -> dict[str, Pin]:
        """Those that another worker had remembered before, as they stand. Sending a batch twice changes nothing."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for ident, (pin, fresh) in batch.items():
                if pin is None:
                    pipe.delete(self._key(ident))
                else:
                    pipe.set(self._key(ident), _encode(pin), nx=fresh, ex=KEPT_SECONDS)
            if opened := [ident for ident, (pin, _) in batch.items() if pin is not None and pin.open]:
                pipe.sadd(self._open_key, *opened)
            if closed := [ident for ident, (pin, fresh) in batch.items() if not (fresh or (pin is not None and pin.open))]:
                pipe.srem(self._open_key, *closed)
            results = (await pipe.execute())[: len(batch)]
        clashing = [ident for (ident, write), result in zip(batch.items(), results, strict=True) if write.pin is not None and not result]
        if not clashing:
            return {}
        told: list[Any] = await self._redis.mget([self._key(ident) for ident in clashing])
        standing = map(_pin, told)
        return {ident: pin for ident, pin in zip(clashing, standing, strict=True) if pin is not None}


def _pin(text: bytes | None) -> Pin | None:
    """None as well for what a newer version wrote in a way that this one can't read."""
    try:
        return None if text is None else _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        log.error("a pin can not be read: %.200r", text)
        return None
