"""What reached an upstream, kept by the upstream: an ASGI wrapper that notes every request before it passes it on."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

App = Callable[..., Any]
WAIT_LIMIT = 20.0


@dataclass(frozen=True)
class Seen:
    """One request as the upstream got it. Header names are in lower case; of repeated ones the last is kept."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Recorder:
    """Wraps an app. `seen` is in order of arrival."""

    app: App
    seen: list[Seen] = field(default_factory=list)
    _cut: threading.Event = field(default_factory=threading.Event)

    def wait_for_cut(self) -> None:
        """Returns when a caller has left before its answer was complete. Raises TimeoutError."""
        if not self._cut.wait(WAIT_LIMIT):
            raise TimeoutError("no caller has left")

    def calls(self, method: str) -> list[Seen]:
        """The requests whose JSON-RPC method is `method`."""
        return [seen for seen in self.seen if seen.method == "POST" and seen.body and seen.json.get("method") == method]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.seen.append(Seen(scope["method"], scope["path"], headers, body))
        given = False
        ended = False

        async def replay() -> Any:
            nonlocal given
            if not given:
                given = True
                return {"type": "http.request", "body": body, "more_body": False}
            message = await receive()
            if message["type"] == "http.disconnect" and not ended:
                self._cut.set()
            return message

        async def watched(message: Any) -> None:
            nonlocal ended
            if message["type"] == "http.response.body" and not message.get("more_body"):
                ended = True
            await send(message)

        await self.app(scope, replay, watched)
