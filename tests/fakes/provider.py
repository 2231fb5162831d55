"""A scripted provider: answers what the test laid out, byte for byte, and keeps what it was asked.

A plain ASGI app for `fakes.serving`. A reply is a status, headers and pieces; a piece is bytes or a `Gate`, where the
reply waits until the test opens it. A reply ends whole, is cut (the connection closes before the body's end) or hangs.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.fakes.cassettes import Cassette

WAIT_LIMIT = 10.0


class Gate:
    """A place in a reply where the provider waits for the test. `reached` tells the test that it is there."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._opened = False
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def open(self) -> None:
        with self._lock:
            self._opened = True
            for loop, event in self._waiting:
                loop.call_soon_threadsafe(event.set)

    def wait_reached(self) -> None:
        if not self.reached.wait(WAIT_LIMIT):
            raise TimeoutError("the provider never came to this place of its reply")

    async def passed(self) -> None:
        event = asyncio.Event()
        with self._lock:
            if self._opened:
                event.set()
            else:
                self._waiting.append((asyncio.get_running_loop(), event))
        self.reached.set()
        await event.wait()


End = Literal["whole", "cut", "hang"]


@dataclass(frozen=True)
class Reply:
    """What the provider answers. `gate_head` holds back even the status. `sized` sends Content-Length, not chunks."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    pieces: tuple[bytes | Gate, ...] = ()
    end: End = "whole"
    gate_head: Gate | None = None
    sized: bool = False


@dataclass
class Asked:
    """A request that the provider received. `gone` is set when its client left before the reply's end."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    gone: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)

    def header(self, name: str) -> str | None:
        """The value of the header, None when absent. Raises ValueError when it was sent more than once."""
        values = [value for key, value in self.headers if key == name]
        if len(values) > 1:
            raise ValueError(f"{name} was sent {len(values)} times")
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def wait_gone(self) -> None:
        if not self.gone.wait(WAIT_LIMIT):
            raise TimeoutError("the provider's client never left")

    def wait_answered(self) -> None:
        if not self.answered.wait(WAIT_LIMIT):
            raise TimeoutError("the provider never finished its reply")


def said(body: Any, *, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    """A JSON answer."""
    pieces = (json.dumps(body).encode(),)
    return Reply(status=status, headers=(("content-type", "application/json"), *headers), pieces=pieces, sized=True)


def streamed(*pieces: bytes | Gate, end: End = "whole", status: int = 200) -> Reply:
    """A server-sent event stream, sent piece by piece."""
    return Reply(status=status, headers=(("content-type", "text/event-stream; charset=utf-8"),), pieces=pieces, end=end)


def events(*payloads: Any, done: bool = True) -> bytes:
    """OpenAI-style events of a stream."""
    lines = b"".join(b"data: " + json.dumps(payload).encode() + b"\n\n" for payload in payloads)
    return lines + b"data: [DONE]\n\n" if done else lines


def zipped(body: bytes, *, level: int = 9) -> Reply:
    headers = (("content-type", "application/json"), ("content-encoding", "gzip"))
    return Reply(headers=headers, pieces=(gzip.compress(body, level),), sized=True)


def recorded(cassette: Cassette, cuts: Iterable[int] = ()) -> Reply:
    """The recorded answer; of a stream, cut into pieces at the byte positions `cuts`."""
    marks = [0, *sorted({at for at in cuts if 0 < at < len(cassette.answer)}), len(cassette.answer)]
    pieces = tuple(cassette.answer[start:stop] for start, stop in itertools.pairwise(marks))
    return Reply(status=cassette.status, headers=cassette.answer_headers, pieces=pieces, sized=not cassette.streamed)


class Provider:
    """Answers with the queued replies in order, then with `fallback`, else with 500: a test has laid out too little."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.fallback: Reply | Callable[[Asked], Reply] | None = None
        self._queue: deque[Reply] = deque()
        self._arrived = threading.Condition()

    def reset(self) -> None:
        self.asked.clear()
        self._queue.clear()
        self.fallback = None

    def then(self, *replies: Reply) -> None:
        self._queue.extend(replies)

    @property
    def last(self) -> Asked:
        return self.asked[-1]

    def wait_asked(self, count: int = 1) -> Asked:
        """The `count`-th request, waited for."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.asked) >= count, WAIT_LIMIT):
                raise TimeoutError(f"the provider was asked {len(self.asked)} times, not {count}")
            return self.asked[count - 1]

    def _reply(self, asked: Asked) -> Reply:
        if self._queue:
            return self._queue.popleft()
        if isinstance(self.fallback, Reply):
            return self.fallback
        if self.fallback is not None:
            return self.fallback(asked)
        return said({"error": {"message": "the test laid out no reply", "type": "fake_error"}}, status=500)

    async def __call__(self, scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        asked = Asked(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]],
            body=await _body(receive),
        )
        with self._arrived:
            reply = self._reply(asked)
            self.asked.append(asked)
            self._arrived.notify_all()
        telling = asyncio.ensure_future(_tell(reply, send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((telling, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not telling.done():
                asked.gone.set()
            else:
                telling.result()
                asked.answered.set()
        finally:
            telling.cancel()
            leaving.cancel()
            await asyncio.gather(telling, leaving, return_exceptions=True)


async def _body(receive: Callable[..., Any]) -> bytes:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(pieces)


async def _left(receive: Callable[..., Any]) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _tell(reply: Reply, send: Callable[..., Any]) -> None:
    if reply.gate_head is not None:
        await reply.gate_head.passed()
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers]
    if reply.sized:
        size = sum(len(piece) for piece in reply.pieces if isinstance(piece, bytes))
        headers.append((b"content-length", str(size + (reply.end == "cut")).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    for piece in reply.pieces:
        if isinstance(piece, Gate):
            await piece.passed()
        else:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    if reply.end == "whole":
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    elif reply.end == "hang":
        await asyncio.Event().wait()
