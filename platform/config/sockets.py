"""WebSockets of the hardened Daphne: sends wait for the client to read, as those of HTTP answers do."""

# ruff: noqa: N802, N803 - the names are Twisted's

from __future__ import annotations

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from config.channel import Gate

SERVICE_RESTART = 1012


class HouseWebSocket(WebSocketProtocol):
    gate: Gate | None = None

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

    def going_away(self) -> None:
        """Tells the client to come back: 1012 is "service restart", which `sendClose` takes for a code that only others use."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=SERVICE_RESTART)

    def abort(self) -> None:
        self.transport.abortConnection()


class HouseWebSocketFactory(WebSocketFactory):
    protocol = HouseWebSocket
