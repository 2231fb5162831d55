"""WebSockets of the hardened Daphne: writes wait for the client to read as those of HTTP answers do, what a client sends waits
for the application to take it, refusals have a status and a body, and an application may close with any code that RFC 6455 has."""

# ruff: noqa: N802, N803 - the names are Twisted's

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from daphne.ws_protocol import ConnectionDeny, WebSocketFactory, WebSocketProtocol

from config.channel import Gate

SERVICE_RESTART = 1012
MAX_MESSAGE = 16 * 1024 * 1024
HANDSHAKE_SECONDS = 25
"""An application may have to call somebody before it accepts."""

UNTAKEN_HIGH, UNTAKEN_LOW = 256 * 1024, 64 * 1024
"""Bytes of messages that the application has not taken: at the first the client is no longer read, at the second it is again."""


class Inbox(asyncio.Queue[dict[str, Any]]):
    """What has come in and was not taken. It holds no more than a mark and one read of the socket, or one message."""

    def __init__(self, protocol: HouseWebSocket) -> None:
        super().__init__()
        self._protocol = protocol
        self._bytes = 0
        self._paused = False

    def _put(self, item: dict[str, Any]) -> None:
        super()._put(item)
        self._bytes += _size(item)
        if self._bytes > UNTAKEN_HIGH and not self._paused:
            self._paused = True
            self._protocol.transport.pauseProducing()

    def _get(self) -> dict[str, Any]:
        item = super()._get()
        self._bytes -= _size(item)
        if self._bytes <= UNTAKEN_LOW and self._paused:
            self._paused = False
            self._protocol.transport.resumeProducing()
        return item


def _size(message: dict[str, Any]) -> int:
    return len(message.get("text") or message.get("bytes") or b"")


class HouseWebSocket(WebSocketProtocol):
    gate: Gate | None = None
    drains = False
    """Whether its application ends it by itself when the house stops."""

    _denial: tuple[int, list[tuple[bytes, bytes]], bytes] | None = None

    def onOpen(self) -> None:
        super().onOpen()
        self.gate = Gate()
        # The HTTP channel that carried the handshake is still registered here and nobody asks it any more.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.gate, True)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        if self.gate is not None:
            self.gate.stopProducing()
        super().onClose(wasClean, code, reason)

    def handle_reply(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        answers = kind == "websocket.accept" or kind.startswith("websocket.http.response")
        if answers and not hasattr(self, "handshake_deferred"):
            return  # the client is gone, or has been refused for the time that it took
        if kind == "websocket.accept" and message.get("headers"):
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            self.handshake_deferred.callback((message.get("subprotocol"), headers))
            del self.handshake_deferred
        elif kind == "websocket.close" and self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=(message.get("reason") or "").encode())
        elif kind == "websocket.http.response.start":
            self._denial = (message["status"], list(message.get("headers", ())), b"")
        elif kind == "websocket.http.response.body":
            self._deny(message.get("body", b""), more=message.get("more_body", False))
        elif kind == "websocket.send" and self.state != self.STATE_OPEN and not hasattr(self, "handshake_deferred"):
            return  # it is closing: nobody hears this any more
        else:
            super().handle_reply(message)

    def _deny(self, body: bytes, *, more: bool) -> None:
        if self._denial is None:
            raise ValueError("a refusal's body came before its status")
        status, headers, earlier = self._denial
        self._denial = (status, headers, earlier + body)
        if not more:
            self.handshake_deferred.errback(ConnectionDeny(code=status, reason=_phrase(status)))
            del self.handshake_deferred
            self.server.protocol_disconnected(self)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        if self._denial is None:
            super().sendHttpErrorResponse(code, reason, responseHeaders)
            return
        _, headers, body = self._denial
        lines = [f"HTTP/1.1 {code} {reason}".encode("latin-1"), *(name + b": " + value for name, value in headers), b"connection: close"]
        self.sendData(b"\r\n".join([*lines, b"", body]))

    def going_away(self) -> None:
        """Tells the client to come back: 1012 is "service restart", which `sendClose` takes for a code that only others use."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=SERVICE_RESTART)

    def abort(self) -> None:
        self.transport.abortConnection()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


class HouseWebSocketFactory(WebSocketFactory):
    protocol = HouseWebSocket
