"""Hears what a caller is told while it is told: answers as they are read, refusals as they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataplane.answers import Kept, lasting
from dataplane.asgi import Headers, Message, Send
from dataplane.call import Leg, Meter, Usage
from dataplane.errors import HouseError
from dataplane.upstream import Answer

if TYPE_CHECKING:
    from dataplane.keeping import Keeping

TOLD_ONCE = (b"x-customhouse-route", b"x-customhouse-cost", b"x-customhouse-cache")
"""What an answer says of the one call."""


class Overhearing:
    """A way to the caller of one that hears of whole refusals, before their last piece is sent."""

    __slots__ = ("_body", "_head", "_keeping", "_send")

    def __init__(self, keeping: Keeping, send: Send) -> None:
        self._keeping = keeping
        self._send = send
        self._head: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = message if message["status"] >= 400 else None
        elif self._head is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                self._keeping.refused(Kept(self._head["status"], lasting(_of_answer(self._head["headers"])), self._body))
        await self._send(message)


def _of_answer(headers: Headers) -> Headers:
    """Without what the house tells of the one call."""
    return [(name, value) for name, value in headers if name not in TOLD_ONCE]


class Listening(Meter):
    """Reads along. What is longer than `most` is only counted."""

    __slots__ = ("_answer", "_inner", "_keeping", "_leg", "_most", "_parts", "_size", "beat")

    def __init__(self, keeping: Keeping, inner: Meter, *, leg: Leg, answer: Answer, most: int) -> None:
        super().__init__()
        self.beat = inner.beat
        self._keeping = keeping
        self._inner = inner
        self._leg = leg
        self._answer = answer
        self._most = most
        self._parts: list[bytes] = []
        self._size = 0

    def whole(self, body: bytes) -> bytes:
        out = self._hear(self._inner.whole(body))
        if not self.failed:
            self._keep()
        return out

    def feed(self, data: bytes) -> bytes:
        return self._hear(self._inner.feed(data))

    def finish(self) -> bytes:
        """A stream of which neither an end nor its usage was told may have been cut short. Sound has neither: of that the
        connection alone tells."""
        out = self._hear(self._inner.finish())
        if not self.failed and (self.complete or self.usage() is not None or self._is_sound()):
            self._keep()
        return out

    def _is_sound(self) -> bool:
        return (self._answer.header("content-type") or "").startswith("audio/")

    def usage(self) -> Usage | None:
        return self._inner.usage()

    def partial(self) -> Usage:
        return self._inner.partial()

    def broken(self, error: HouseError, request_id: str) -> bytes:
        return self._inner.broken(error, request_id)

    def _hear(self, out: bytes) -> bytes:
        self.failed, self.complete = self._inner.failed, self._inner.complete
        if out:
            self._size += len(out)
            if self._size <= self._most:
                self._parts.append(out)
            else:
                self._parts.clear()
        return out

    def _keep(self) -> None:
        if self._size > self._most:
            self._keeping.whole(None)
            return
        leg, answer = self._leg, self._answer
        headers = lasting(self._keeping.call.answer_headers(answer))
        body = b"".join(self._parts)
        self._keeping.whole(Kept(answer.status, headers, body, leg.provider, leg.deployment, self._inner.usage()))
