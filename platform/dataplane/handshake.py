"""The opening of a WebSocket, guarded as every request is, and the two ways to answer it."""

from __future__ import annotations

from dataplane.asgi import Disconnected, Headers, Receive, Request, Scope, Send

DENIAL = "websocket.http.response"
"""The ASGI extension by which a refusal has a status and a body. A server without it answers 403 to every refusal."""

NOT_SERVED = 4404


class Handshake(Request):
    """A WebSocket that is neither accepted nor refused. `subprotocols` are those that the client offers, in its order."""

    __slots__ = ("subprotocols",)

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("method", "GET")
        super().__init__(scope, receive, send)
        self.subprotocols: list[str] = list(scope.get("subprotocols", ()))

    async def begin(self) -> None:
        """Takes the message that stands before everything. Raises Disconnected."""
        message = await self.receive()
        if message["type"] != "websocket.connect":
            raise Disconnected

    async def accept(self, headers: Headers, *, subprotocol: str | None) -> None:
        message: dict[str, object] = {"type": "websocket.accept", "headers": list(headers)}
        if subprotocol is not None:
            message["subprotocol"] = subprotocol
        await self.send(message)

    async def deny(self, status: int, headers: Headers, body: bytes, *, code: int = NOT_SERVED) -> None:
        """Refuses before accepting. `code` is for servers that can't answer with a status."""
        if DENIAL not in (self.scope.get("extensions") or ()):
            await self.send({"type": "websocket.close", "code": code})
            return
        sized = [*headers, (b"content-length", str(len(body)).encode())]
        await self.send({"type": f"{DENIAL}.start", "status": status, "headers": sized})
        await self.send({"type": f"{DENIAL}.body", "body": body})
