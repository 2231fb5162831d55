"""Claims of a house of several processes, in Redis:

    ch:once:<name>  string  a `Stored`; while its call runs it is renewed, afterwards it stays for a day

Answers are sealed: what a model has said is nobody's business who can read Redis.
A worker that dies renews nothing, so what it had begun is free again within a minute. While Redis is away nobody waits for
it: each worker then knows of its own calls alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from dataplane.answers import Kept
from dataplane.idempotency import KEPT_SECONDS, Claimed, Order
from dataplane.sealing import Sealer, SealError

log = logging.getLogger("customhouse.idempotency")

TIMEOUT = 0.5
"""Seconds that a call waits, connecting included."""

LEASE_SECONDS = 60
RENEW_EVERY = 15.0
MOST_BODY = 256 * 1024
"""Bytes of an answer that other workers can give as well. Of a larger one they know that it was given."""

AWAY_SECONDS = 0.5
FAREWELL = 2.0

_AWAY = (RedisError, OSError, TimeoutError)


class Stored(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`owner` is who makes the call, unlike any other. `sealed` is the `Kept`, b"" where it is too large."""

    owner: str
    digest: bytes
    done: bool = False
    sealed: bytes = b""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stored).decode
_decode_kept = msgspec.msgpack.Decoder(Kept).decode

REPLACE = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 1
"""
"""What this worker says about a claim counts as long as nobody else has it."""


class RedisClaims:
    """Belongs to one event loop."""

    def __init__(self, url: str, *, sealer: Sealer, prefix: str = "ch", timeout: float = TIMEOUT) -> None:
        self._sealer = sealer
        self._redis: Any = Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 1))
        self._prefix = prefix
        self._timeout = timeout
        self._worker = uuid.uuid4().hex
        self._away_until = 0.0
        self._running: dict[str, bytes] = {}
        self._telling: set[asyncio.Task[Any]] = set()
        self._renewing: asyncio.Task[None] | None = None

    @property
    def told(self) -> bool:
        """Whether all that was to be written is written, or lost."""
        return not self._telling

    async def take(self, order: Order) -> Claimed | None:
        mine = _encode(Stored(owner=f"{self._worker}:{uuid.uuid4().hex[:8]}", digest=order.digest))
        try:
            found = await self._take(self._key(order.name), mine)
        except asyncio.CancelledError:
            self._running[order.name] = mine  # it may have been written
            self.release(order)
            raise
        if found is not None:
            try:
                return self._opened(order.name, _decode(found))
            except (msgspec.MsgspecError, UnicodeDecodeError):
                log.error("a claim of another worker can not be read: %.100r", found)
        self._running[order.name] = mine
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.get_running_loop().create_task(self._renew())
        return None

    async def _take(self, key: str, mine: bytes) -> bytes | None:
        """Who has it, None when that is this worker now or when nobody can say."""
        for _ in range(2):  # what ran out between the two questions is asked for once more
            if await self._ask(self._redis.set, key, mine, nx=True, ex=LEASE_SECONDS) is not False:
                return None
            if found := await self._ask(self._redis.get, key):
                return bytes(found)
        return None

    def _opened(self, name: str, stored: Stored) -> Claimed:
        kept: Kept | None = None
        if stored.sealed:
            try:
                kept = _decode_kept(b64decode(self._sealer.open(stored.sealed, bound_to=self._key(name))))
            except (SealError, ValueError, msgspec.MsgspecError):
                log.error("an answer of another worker can not be opened: the call was made, and is not made again")
        return Claimed(stored.digest, stored.done, kept)

    def finish(self, order: Order, kept: Kept | None) -> None:
        sealed = b""
        if kept is not None and len(kept.body) <= MOST_BODY:
            sealed = self._sealer.seal(b64encode(_encode(kept)).decode(), bound_to=self._key(order.name))
        self._tell(order, _encode(Stored(owner=self._worker, digest=order.digest, done=True, sealed=sealed)))

    def release(self, order: Order) -> None:
        self._tell(order, b"")

    async def close(self) -> None:
        """Gives what is being told a moment to get out."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=FAREWELL)
        for task in (*self._telling, *([self._renewing] if self._renewing is not None else ())):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        with contextlib.suppress(*_AWAY):
            await self._redis.aclose()

    def _key(self, name: str) -> str:
        return f"{self._prefix}:once:{name}"

    def _tell(self, order: Order, value: bytes) -> None:
        mine = self._running.pop(order.name, b"")
        telling = self._ask(self._redis.eval, REPLACE, 1, self._key(order.name), mine, value, KEPT_SECONDS)
        task = asyncio.get_running_loop().create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _renew(self) -> None:
        while self._running:
            await asyncio.sleep(RENEW_EVERY)
            for name in list(self._running):
                await self._ask(self._redis.expire, self._key(name), LEASE_SECONDS)

    async def _ask(self, command: Callable[..., Awaitable[Any]], *words: object, **options: object) -> Any:
        """What Redis says, False for its nothing; None when it is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(self._timeout):
                answer = await command(*words, **options)
        except _AWAY as error:
            if not self._away_until:
                log.warning("Redis does not answer for idempotency keys: %s", error)
            self._away_until = time.monotonic() + AWAY_SECONDS
            return None
        self._away_until = 0.0
        return answer or False
