"""Daphne's protocol classes, hardened: what a slow or hostile client may cost is bounded here.

    HouseChannel   one connection: heads and bodies have deadlines and sizes
    HouseRequest   one request: its writes wait for the client to read (`Gate`)
    HouseFactory   makes them

Twisted reads a body whole before Daphne starts the application, hence the bounds on bodies stand here as well.
"""

# ruff: noqa: N802, N815 - the names are Twisted's

from __future__ import annotations

import asyncio
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet.interfaces import IPushProducer
from twisted.web import http
from zope.interface import implementer  # type: ignore[import-untyped]

HEAD_SECONDS = 10.0
"""From the first byte of a request (or the connection) to the end of its headers."""

BODY_GRACE_SECONDS, BODY_BYTES_PER_SECOND, BODY_CHECK_SECONDS = 30.0, 1024, 5.0
"""A body has this long before its average rate counts."""

MAX_HEADERS, MAX_HEADER_LINE, MAX_HEAD = 100, 16 * 1024, 32 * 1024
MAX_BODY = 32 * 1024 * 1024
"""Above the data plane's own 20 MiB, so that its callers get their refusal in the shape of their dialect."""

REFUSALS = {400: b"Bad Request", 408: b"Request Timeout", 413: b"Content Too Large", 431: b"Request Header Fields Too Large"}


@implementer(IPushProducer)
class Gate:
    """Tells whether the client reads. Closed by the transport when its buffer is full, opened when it has drained."""

    def __init__(self) -> None:
        self.is_open = True
        self._opened: asyncio.Future[None] | None = None

    async def passed(self, within: float) -> None:
        """Returns when the client has read, or has gone. Raises TimeoutError when it does neither."""
        if self.is_open:
            return
        if self._opened is None:
            self._opened = asyncio.get_running_loop().create_future()
        await asyncio.wait_for(asyncio.shield(self._opened), within)

    def pauseProducing(self) -> None:
        self.is_open = False

    def resumeProducing(self) -> None:
        self.is_open = True
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)
        self._opened = None

    def stopProducing(self) -> None:
        """The connection is lost; whoever waits may go on and finds that out."""
        self.resumeProducing()


class HouseRequest(WebRequest):
    gate: Gate | None = None
    _body_bytes = 0

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body" and message.get("more_body") and self.gate is None and self.channel is not None:
            self.gate = Gate()
            self.registerProducer(self.gate, True)
        elif message["type"] == "http.response.start" and self.server.draining and self.channel is not None:
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            self.channel.persistent = False
        super().handle_reply(message)

    def finish(self) -> None:
        self._open_gate(unregister=True)
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        self._open_gate(unregister=False)
        super().connectionLost(reason)

    def _open_gate(self, *, unregister: bool) -> None:
        if self.gate is not None:
            if unregister and self.producer is not None:
                self.unregisterProducer()
            self.gate.stopProducing()

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        if length is not None and length > MAX_BODY:
            self.channel.refuse(413)

    def handleContentChunk(self, data: bytes) -> None:
        self._body_bytes += len(data)
        if self._body_bytes > MAX_BODY:
            self.channel.refuse(413)
            return
        super().handleContentChunk(data)

    @property
    def body_bytes(self) -> int:
        return self._body_bytes

    def left(self) -> None:
        """The application has ended. An answer that it began and did not end must not be waited for, nor taken for whole."""
        if self._response_started and not self.finished and self.channel is not None:
            self._open_gate(unregister=True)
            self.channel.loseConnection()

    def abort(self) -> None:
        """Cuts the connection without waiting for what is buffered; the application then receives http.disconnect."""
        if self.channel is not None:
            self.channel.transport.abortConnection()


class HouseChannel(http.HTTPChannel):
    maxHeaders = MAX_HEADERS
    totalHeadersSize = MAX_HEAD
    MAX_LENGTH = MAX_HEADER_LINE
    requestFactory = HouseRequest

    _deadline: Any = None
    _body_since: float | None = None
    refused = False

    def connectionMade(self) -> None:
        super().connectionMade()
        self.factory.server.channels.add(self)
        self._expect_head()

    def connectionLost(self, reason: Any) -> None:
        self._cancel_deadline()
        self.factory.server.channels.discard(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        if self.refused:
            return
        if self._deadline is None and not self._handlingRequest:
            self._expect_head()
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        if self.refused:
            return
        in_headers = self._receivedHeaderSize > 0
        if in_headers and line[:1] in (b" ", b"\t"):
            self.refuse(400)  # a folded header (RFC 9112 section 5.2), which servers read differently
        elif self._receivedHeaderSize + len(line) > MAX_HEAD or self._receivedHeaderCount >= MAX_HEADERS:
            self.refuse(431)
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.refuse(431)

    def allHeadersReceived(self) -> None:
        self._cancel_deadline()
        if self.length != 0:
            self._body_since = self._now()
            self._deadline = self.callLater(BODY_GRACE_SECONDS, self._check_body)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        self._cancel_deadline()
        if not self.refused:
            super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        super().requestDone(request)
        if self.persistent and not self._handlingRequest and (self._receivedHeaderSize or self._buffer):
            self._expect_head()  # the beginning of a pipelined request was already here

    def refuse(self, status: int) -> None:
        """Answers without reading on, and closes. Nothing that still comes in is looked at."""
        if self.refused:
            return
        self.refused = True
        self._cancel_deadline()
        self.transport.write(b"HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % (status, REFUSALS[status]))
        self.loseConnection()

    def _expect_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.callLater(HEAD_SECONDS, self._too_slow)

    def _too_slow(self) -> None:
        self._deadline = None
        self.refuse(408)

    def _check_body(self) -> None:
        self._deadline = None
        since = self._body_since
        if since is None or not self.requests:
            return
        if self.requests[-1].body_bytes < BODY_BYTES_PER_SECOND * (self._now() - since):
            self.refuse(408)
        else:
            self._deadline = self.callLater(BODY_CHECK_SECONDS, self._check_body)

    def _now(self) -> float:
        return float(self.factory.reactor.seconds())

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class HouseFactory(HTTPFactory):
    # The channel itself and not Twisted's negotiating wrapper: TLS, and with it HTTP/2, ends in front of the house.
    protocol = HouseChannel

    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = HouseRequest
        return protocol
