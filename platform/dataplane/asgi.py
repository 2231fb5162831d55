"""The ASGI edge of the data plane: one guarded request object, bounded bodies, plain answers.

No server passes every raw-byte test alone (duplicate Host, Content-Length beside Transfer-Encoding, huge headers), so
the guard stands here, once, for all servers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from dataplane.errors import BadRequest, HeadersTooLarge, PayloadTooLarge
from dataplane.ids import new_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

MAX_HEADERS = 100
MAX_HEADER = 16 * 1024
MAX_HEADER_BLOCK = 32 * 1024
MAX_BODY = 20 * 1024 * 1024
JSON_TYPE = (b"content-type", b"application/json")
_ONCE = frozenset((b"host", b"content-length", b"authorization", b"transfer-encoding"))


class Disconnected(Exception):
    """The caller left before the request was complete."""


class Request:
    """One HTTP request. `headers` maps lower-case names to the first value; `id` goes out as x-request-id;
    `started` is from the performance clock, in seconds."""

    __slots__ = ("_body_done", "headers", "id", "method", "path", "query", "raw_headers", "receive", "scope", "send", "started")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self.raw_headers: Headers = scope["headers"]
        self.headers: dict[bytes, bytes] = {}
        self.id = new_id()
        self.started = time.perf_counter()
        self._body_done = False

    def guard(self) -> None:
        """Fills `headers`. Raises HeadersTooLarge or BadRequest for a head that no honest client sends."""
        raw = self.raw_headers
        headers = dict(raw)
        if len(headers) != len(raw):
            headers = _first_of_each(raw)
        values = headers.values()
        if len(raw) > MAX_HEADERS or sum(map(len, headers)) + sum(map(len, values)) > MAX_HEADER:
            _measure(raw)
        for value in values:
            if value and (value[0] <= 32 or value[-1] <= 32):
                headers = {name: value.strip() for name, value in headers.items()}
                break
        if b"transfer-encoding" in headers and b"content-length" in headers:
            raise BadRequest("Content-Length and Transfer-Encoding were both sent.", code="ambiguous_length")
        host = headers.get(b"host")
        if host is not None and (b"@" in host or b"/" in host or b"\x00" in host):
            raise BadRequest("The Host header is malformed.", code="bad_host")
        self.headers = headers

    async def body(self, *, limit: int = MAX_BODY) -> bytes:
        """The whole body. Raises PayloadTooLarge (before reading where the length is declared) or Disconnected."""
        declared = self.headers.get(b"content-length")
        if declared is not None and (not declared.isdigit() or int(declared) > limit):
            raise PayloadTooLarge(f"The body is larger than {limit} bytes.")
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self.receive()
            if message["type"] != "http.request":
                raise Disconnected
            part = message.get("body", b"")
            if not message.get("more_body", False):
                self._body_done = True
                if not parts:
                    if len(part) > limit:
                        raise PayloadTooLarge(f"The body is larger than {limit} bytes.")
                    return bytes(part)
                parts.append(part)
                if size + len(part) > limit:
                    raise PayloadTooLarge(f"The body is larger than {limit} bytes.")
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            if size > limit:
                raise PayloadTooLarge(f"The body is larger than {limit} bytes.")

    async def left(self) -> None:
        """Returns when the caller has gone."""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                return

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


class Watch:
    """Calls `leave` when a call's caller leaves."""

    __slots__ = ("_leave", "_request", "_task", "gone")

    def __init__(self, request: Request, leave: Callable[[], None]) -> None:
        self._request = request
        self._leave = leave
        self.gone = False
        self._task = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        await self._request.left()
        self.gone = True
        self._leave()

    def stop(self) -> None:
        self._task.cancel()


def _first_of_each(raw: Headers) -> dict[bytes, bytes]:
    """The first value of each name. Raises BadRequest when what must be told once is told twice."""
    headers: dict[bytes, bytes] = {}
    for name, value in raw:
        if name not in headers:
            headers[name] = value
        elif name in _ONCE:
            raise BadRequest(f"The header {name.decode('latin-1')} was sent twice.", code="duplicate_header")
    return headers


def _measure(raw: Headers) -> None:
    sizes = [len(name) + len(value) for name, value in raw]
    if len(sizes) > MAX_HEADERS or max(sizes) > MAX_HEADER or sum(sizes) > MAX_HEADER_BLOCK:
        raise HeadersTooLarge(f"Headers are limited to {MAX_HEADERS}, {MAX_HEADER} bytes each, {MAX_HEADER_BLOCK} in all.")


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """A whole answer in two messages; the length is set here."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", str(len(body)).encode())],
        }
    )
    await send({"type": "http.response.body", "body": body})


def encode_headers(pairs: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
