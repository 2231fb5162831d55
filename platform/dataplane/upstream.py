"""The one door out of the data plane: pools, timeouts, checked and pinned addresses. Only this module imports pyreqwest.

A name is resolved here, every answer is checked, and the connection goes to an address that was checked; redirects are
off, the environment's proxies are ignored, answers are asked for uncompressed and what comes compressed all the same is
inflated within a bound. TCP_NODELAY is the client's default.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any, Protocol

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import ConnectError, PyreqwestError
from pyreqwest.http import HeaderMap, Url
from pyreqwest.request import StreamRequest
from pyreqwest.response import Response

from dataplane.errors import UpstreamFailed
from dataplane.resolving import Lost, Refused, TimedOut, is_literal, origin, resolve

__all__ = [
    "MAX_ANSWER",
    "PIN_SECONDS",
    "Answer",
    "Inflater",
    "Lost",
    "Prepared",
    "Refused",
    "TimedOut",
    "Unsendable",
    "Upstream",
    "Upstreams",
]

PIN_SECONDS = 30.0
"""How long a checked address is used before the name is resolved again; a failed connect ends it at once."""

HELD_BACK = 65536
"""Bytes that the client may gather before it hands an answer over. For a stream it is 0, or deltas would wait."""

MAX_ANSWER = 64 * 1024 * 1024
_IDLE = timedelta(seconds=25)


class Unsendable(UpstreamFailed):
    """A header that came from the caller holds what no header may (RFC 9110, 5.5): not every server refuses it."""

    status = 400
    code = "bad_header"
    sent = False


def _translate(error: PyreqwestError) -> Lost | TimedOut:
    causes = " ".join(cause["message"] for cause in (getattr(error, "details", None) or {}).get("causes") or ())
    if isinstance(error, TimeoutError):
        if "Connect)" in causes:
            return Lost("The upstream could not be reached in time.", sent=False)
        return TimedOut("The upstream did not answer in time.")
    if isinstance(error, ConnectError) and "SendRequest" not in causes:
        return Lost("The upstream could not be reached.", sent=False)
    return Lost("The upstream closed the connection before its answer was complete.", sent=True)


def _heed_cancellation(task: asyncio.Task[Any] | None) -> None:
    """The library may hand out a result that was ready when the wait for it was cancelled. That is said here again, or
    a caller who left and a key that was revoked would be served on."""
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _readable(headers: HeaderMap, name: str) -> list[str]:
    try:
        return list(headers.getall(name))
    except ValueError:
        return []


class Streamed(Protocol):
    """A body that is not in memory: `length` bytes, which `chunks` gives from the start each time it is called."""

    length: int

    def chunks(self) -> AsyncIterator[bytes]: ...


class Prepared:
    """Where a deployment is called and the headers that every call to it carries, worked out once."""

    __slots__ = ("headers", "url")

    def __init__(self, url: str, headers: Sequence[tuple[str, str]]) -> None:
        self.url = Url(url)
        self.headers = HeaderMap(headers)


class Answer:
    """An answer whose head has arrived. Always closed by who opened it; closing early closes the connection. It is read by
    the task that sent its request: asking anew which one that is would cost a sixth of what an event costs."""

    __slots__ = ("_inflate", "_reader", "_request", "_response", "_task", "status")

    def __init__(self, request: StreamRequest, response: Response) -> None:
        self._request = request
        self._response = response
        self._reader = response.body_reader
        self._task = asyncio.current_task()
        self.status = response.status
        self._inflate: Inflater | None = None
        encoding = self.header("content-encoding")
        if encoding is not None and encoding.strip().lower() not in ("", "identity"):
            self._inflate = Inflater(encoding.strip().lower())

    def header(self, name: str) -> str | None:
        try:
            return self._response.get_header(name)
        except ValueError:
            return None

    def headers(self) -> list[tuple[str, str]]:
        """All headers, names in lower case, but for those whose value is not ASCII: one of them is no reason to lose an
        answer that was paid for."""
        headers = self._response.headers
        try:
            return list(headers.items())
        except ValueError:
            return [(name, value) for name in dict.fromkeys(headers.keys()) for value in _readable(headers, name)]

    async def chunk(self) -> bytes | None:
        """The next bytes, None at the end. Raises Lost or TimedOut."""
        try:
            while True:
                part = await self._reader.read_chunk()
                _heed_cancellation(self._task)
                if part is None:
                    if self._inflate is not None:
                        self._inflate.finish()
                    return None
                data = part.to_bytes()
                if self._inflate is not None:
                    data = self._inflate.feed(data)
                if data:
                    return data
        except PyreqwestError as error:
            raise _translate(error) from error

    async def read(self, *, limit: int = MAX_ANSWER) -> bytes:
        """The whole body. Raises UpstreamFailed when it is larger than `limit` bytes."""
        length = self.header("content-length")
        if length is not None and len(length) < 7 and length.isdigit() and self._inflate is None and int(length) <= limit:
            return await self._rest()  # known to be small: in one step, which spares two turns of the event loop
        first = await self.chunk()
        if first is None:
            return b""
        parts, size = [first], len(first)
        while (part := await self.chunk()) is not None:
            parts.append(part)
            size += len(part)
            if size > limit:
                raise UpstreamFailed(f"The upstream's answer is larger than {limit} bytes.", code="upstream_answer_too_large")
        return first if len(parts) == 1 else b"".join(parts)

    async def _rest(self) -> bytes:
        try:
            data = await self._reader.bytes()
        except PyreqwestError as error:
            raise _translate(error) from error
        _heed_cancellation(self._task)
        return data.to_bytes()

    async def close(self) -> None:
        await self._request.__aexit__(None, None, None)


class Inflater:
    """Bounded inflation of an answer that came compressed though it was not asked to."""

    __slots__ = ("_begun", "_decoder", "_total")

    def __init__(self, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise UpstreamFailed(f"The upstream answered with content-encoding {encoding}, which was not asked for.")
        self._decoder = zlib.decompressobj(wbits=47 if "gzip" in encoding else 15)
        self._begun = False
        self._total = 0

    def finish(self) -> None:
        """The answer has ended. Raises UpstreamFailed when what was compressed has not."""
        if self._begun and not self._decoder.eof:
            raise UpstreamFailed("The upstream's compressed answer is cut off.")

    def feed(self, data: bytes) -> bytes:
        self._begun = True
        try:
            out = self._decoder.decompress(data, MAX_ANSWER + 1 - self._total)
        except zlib.error as error:
            raise UpstreamFailed("The upstream's compressed answer is broken.") from error
        self._total += len(out)
        if self._total > MAX_ANSWER or self._decoder.unconsumed_tail:
            raise UpstreamFailed(f"The upstream's answer is larger than {MAX_ANSWER} bytes.", code="upstream_answer_too_large")
        return out


class Upstream:
    """One origin with its limits: a pool of connections to an address that was checked."""

    __slots__ = ("_address", "_allow_private", "_client", "_found", "_host", "_looking", "_next", "_pinned_until", "_port", "_timeouts")

    def __init__(self, url: str, *, allow_private: bool, timeouts: tuple[float, float, float]) -> None:
        """`timeouts` are connect, read (between two bytes) and total, in seconds. Raises Refused for a URL that no
        rule lets through."""
        _, self._host, self._port = origin(url)
        self._allow_private = allow_private
        self._timeouts = timeouts
        self._client: Client | None = None
        self._pinned_until = 0.0
        self._next = 0
        self._address = ""
        self._found = 0
        self._looking: asyncio.Task[Client] | None = None

    async def send(
        self,
        method: str,
        url: str | Prepared,
        *,
        headers: Sequence[tuple[str, str]],
        body: bytes | Streamed = b"",
        stream: bool = False,
    ) -> Answer:
        """Sends and waits for the head. `headers` go out beside prepared ones. Raises Lost, TimedOut, Refused."""
        client = self._client
        if client is None or self._pinned_until < time.monotonic():
            client = await self._connectable()
        tries = 1
        while True:
            request = _request(client, method, url, headers=headers, body=body, stream=stream)
            try:
                response = await request.__aenter__()
                break
            except PyreqwestError as error:
                lost = _translate(error)
                if not lost.sent:
                    self._give_up(client)
                if lost.sent or tries >= self._found or not isinstance(error, ConnectError):
                    raise lost from error
            tries += 1
            client = await self._connectable()
        try:
            _heed_cancellation(asyncio.current_task())
            if 300 <= response.status < 400:
                raise Lost("The upstream answered with a redirect, which the house does not follow.", sent=False)
            return Answer(request, response)
        except (UpstreamFailed, asyncio.CancelledError):
            await request.__aexit__(None, None, None)
            raise

    def _give_up(self, client: Client) -> None:
        """No connection came about: the next call goes to the next address. The first to notice says so for all."""
        if client is self._client:
            self._client = None
            self._next += 1

    async def _connectable(self) -> Client:
        """One look-up serves all who wait for it, each for no longer than for a connection."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look_up())
            self._looking.add_done_callback(self._looked_up)
        try:
            return await asyncio.wait_for(asyncio.shield(self._looking), self._timeouts[0])
        except TimeoutError:
            raise Lost("The upstream's name did not resolve in time.", sent=False) from None

    def _looked_up(self, task: asyncio.Task[Client]) -> None:
        self._looking = None
        if not task.cancelled():
            task.exception()  # those who waited have it; it is nobody's when all of them had no more time

    async def _look_up(self) -> Client:
        """The connections at hand are kept as long as their address is among the name's, and while no name resolves."""
        try:
            addresses = await resolve(self._host, self._port, allow_private=self._allow_private)
        except Lost:
            if self._client is None:
                raise
        except Refused:
            self._client = None
            raise
        else:
            self._found = len(addresses)
            if self._client is None or self._address not in addresses:
                self._address = addresses[self._next % len(addresses)]
                self._client = self._build(self._address)
        self._pinned_until = time.monotonic() + PIN_SECONDS
        return self._client

    def _build(self, address: str) -> Client:
        connect, read, total = self._timeouts
        builder = (
            ClientBuilder()
            .follow_redirects(False)
            .no_proxy()
            .referer(False)
            .gzip(False)
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .http1_lower_case_headers()
            .connect_timeout(timedelta(seconds=connect))
            .read_timeout(timedelta(seconds=read))
            .timeout(timedelta(seconds=total))
            .pool_idle_timeout(_IDLE)
        )
        if not is_literal(self._host):
            builder = builder.resolve(self._host, address, self._port)
        return builder.build()


def _request(
    client: Client, method: str, url: str | Prepared, *, headers: Sequence[tuple[str, str]], body: bytes | Streamed, stream: bool
) -> StreamRequest:
    try:
        if isinstance(url, Prepared):
            builder = client.request(method, url.url).headers(url.headers)
            for name, value in headers:
                builder = builder.header(name, value)
        else:
            builder = client.request(method, url).headers(headers)
    except ValueError:
        raise Unsendable("A header holds a character that no header may hold.") from None
    builder = builder.streamed_read_buffer_limit(0 if stream else HELD_BACK)
    if not isinstance(body, bytes):
        builder = builder.header("content-length", str(body.length)).body_stream(body.chunks())
    elif body:
        builder = builder.body_bytes(body)
    return builder.build_streamed()


class Upstreams:
    """All origins of one worker, by what makes them differ. A record that changed its limits gets a pool of its own."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[str, bool, tuple[float, float, float]], Upstream] = {}

    def get(self, url: str, *, allow_private: bool, timeouts: tuple[float, float, float]) -> Upstream:
        """The upstream of this URL's origin. `url` is the configured one, never a caller's."""
        key = (url, allow_private, timeouts)
        found = self._by_key.get(key)
        if found is None:
            found = self._by_key[key] = Upstream(url, allow_private=allow_private, timeouts=timeouts)
        return found
