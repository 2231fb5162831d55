"""Calls that are to be made once, however often they are sent: whoever sends an Idempotency-Key again gets the first call's
answer again.

The first to come with a key *claims* it. While that call runs another one with the same key is refused, afterwards it is
given the answer. A claim is let go when nothing was done for it, and then the next one is the first. Claims live in this
worker and, where there are several, in a shelf that they share.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple, Protocol

from dataplane.answers import MOST, MOST_BYTES, OVERHEAD, Kept
from dataplane.asgi import Request
from dataplane.errors import BadRequest, Conflict, HouseError

HEADER = b"idempotency-key"
LONGEST = 255
KEPT_SECONDS = 86_400
MOST_BODY = 8 * 1024 * 1024
"""Bytes of an answer that is kept. Of a larger one it is known that it was given."""


class Order(NamedTuple):
    """What is to be done once: under which name (of its caller and its key), and what it is, to tell another one from it."""

    name: str
    digest: bytes


class Claimed(NamedTuple):
    """Another worker's claim. `done` without `kept`: its answer was too large, or can not be read here."""

    digest: bytes
    done: bool
    kept: Kept | None


class Shelf(Protocol):
    """Where several workers claim."""

    async def take(self, order: Order) -> Claimed | None:
        """None: it is this worker's now, or nobody can say."""

    def finish(self, order: Order, kept: Kept | None) -> None:
        """Never waits."""

    def release(self, order: Order) -> None:
        """Never waits."""

    async def close(self) -> None: ...


def order_of(request: Request, body: bytes, *, principal: str) -> Order:
    """Of a request that names a key. Raises BadRequest for a key that is none."""
    key = request.headers[HEADER]
    if not 0 < len(key) <= LONGEST or not all(32 <= byte < 127 for byte in key):
        text = f"An Idempotency-Key has 1 to {LONGEST} printable characters of ASCII."
        raise BadRequest(text, param="idempotency-key", code="invalid_idempotency_key")
    name = sha256(principal.encode() + b"\0" + key).hexdigest()
    asked = b"\0".join((request.method.encode(), request.path.encode(), request.query))
    return Order(name, sha256(sha256(asked).digest() + sha256(body).digest()).digest())


class Reused(HouseError):
    """The key stands for another call already."""

    status = 422
    code = "idempotency_key_reused"


class Claims:
    """Belongs to one event loop. `clock` is monotonic. Finished ones are bounded in bytes and number, the oldest leave first;
    running ones are as many as there are calls. Conforms to `kit.Background`."""

    def __init__(
        self,
        shelf: Shelf | None = None,
        *,
        most_bytes: int = MOST_BYTES,
        most: int = MOST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.shelf = shelf
        self.clock = clock
        self.bytes = 0
        self._most_bytes = most_bytes
        self._most = most
        self._running: dict[str, bytes] = {}
        self._done: OrderedDict[str, tuple[bytes, Kept | None, float]] = OrderedDict()

    async def start(self) -> None:
        """Nothing is asked of the shelf before somebody claims."""

    async def close(self) -> None:
        if self.shelf is not None:
            await self.shelf.close()

    def __len__(self) -> int:
        return len(self._done)

    async def claim(self, order: Order) -> Kept | None:
        """The answer that was given, or None: then the call is to be made, and `finish` or `release` follows. Raises Reused,
        and Conflict while the first one runs or where its answer was too large to be kept."""
        name = order.name
        if (digest := self._running.get(name)) is not None:
            raise _refusal(digest == order.digest)
        if (found := self._finished(name)) is not None:
            return _given(found[0], found[1], order)
        self._running[name] = order.digest
        if self.shelf is None:
            return None
        try:
            claimed = await self.shelf.take(order)
        except BaseException:
            del self._running[name]
            raise
        if claimed is None:
            return None
        del self._running[name]
        if not claimed.done:
            raise _refusal(claimed.digest == order.digest)
        return _given(claimed.digest, claimed.kept, order)

    def finish(self, order: Order, kept: Kept | None) -> None:
        """It was done. None: the answer is too large to be kept."""
        self._running.pop(order.name, None)
        self._forget(order.name)
        if kept is not None and (len(kept.body) > MOST_BODY or kept.size > self._most_bytes):
            kept = None
        self._done[order.name] = (order.digest, kept, self.clock() + KEPT_SECONDS)
        self.bytes += _size(kept)
        while self.bytes > self._most_bytes or len(self._done) > self._most:
            self._forget(next(iter(self._done)))
        if self.shelf is not None:
            self.shelf.finish(order, kept)

    def release(self, order: Order) -> None:
        """Nothing was done: the next one is the first."""
        self._running.pop(order.name, None)
        if self.shelf is not None:
            self.shelf.release(order)

    def _finished(self, name: str) -> tuple[bytes, Kept | None] | None:
        found = self._done.get(name)
        if found is None:
            return None
        if self.clock() >= found[2]:
            self._forget(name)
            return None
        return found[0], found[1]

    def _forget(self, name: str) -> None:
        found = self._done.pop(name, None)
        if found is not None:
            self.bytes -= _size(found[1])


def _size(kept: Kept | None) -> int:
    return OVERHEAD if kept is None else kept.size


def _given(digest: bytes, kept: Kept | None, order: Order) -> Kept:
    if digest != order.digest:
        raise _refusal(False)
    if kept is None:
        text = "The call with this Idempotency-Key was made; its answer was too large to be given again."
        raise Conflict(text, code="idempotency_answer_not_kept", headers=(("x-should-retry", "false"),))
    return kept


def _refusal(same: bool) -> HouseError:
    if not same:
        return Reused("This Idempotency-Key was sent with another request before.", param="idempotency-key")
    text = "The call with this Idempotency-Key is still being made."
    return Conflict(text, code="idempotency_in_progress", headers=(("retry-after", "1"),))
