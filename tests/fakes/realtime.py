"""A provider of the realtime dialect: a WebSocket server in the test's own event loop, whose every connection can be looked at.

By itself it answers as OpenAI does, in small: a session, and to each `response.create` the events of one response. A test that wants
more gives it another `behave`.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Self

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

WAIT_LIMIT = 10.0

USAGE = {
    "total_tokens": 620,
    "input_tokens": 120,
    "output_tokens": 500,
    "input_token_details": {
        "text_tokens": 40,
        "audio_tokens": 80,
        "image_tokens": 0,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 32, "audio_tokens": 32, "image_tokens": 0},
    },
    "output_token_details": {"text_tokens": 100, "audio_tokens": 400},
}


class Peer:
    """One connection. `raw` is what came in, as it came."""

    def __init__(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.connection = connection
        self.path = connection.request.path
        self.headers = connection.request.headers
        self.raw: list[str | bytes] = []
        self.gone = asyncio.Event()
        self.changed = asyncio.Condition()
        self._ids = itertools.count(1)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(message) for message in self.raw]

    async def say(self, kind: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"type": kind, "event_id": f"event_{next(self._ids)}", **fields}))

    async def heard(self, kind: str, count: int = 1) -> dict[str, Any]:
        """The `count`-th event of a type, waited for."""
        async with asyncio.timeout(WAIT_LIMIT), self.changed:
            await self.changed.wait_for(lambda: sum(event["type"] == kind for event in self.events) >= count)
        return [event for event in self.events if event["type"] == kind][count - 1]

    async def begin(self) -> str:
        """Starts a response and says half of it."""
        name = f"resp_{next(self._ids)}"
        await self.say("response.created", response={"id": name, "object": "realtime.response", "status": "in_progress"})
        await self.say("response.output_audio.delta", response_id=name, item_id="item_1", output_index=0, content_index=0, delta="A" * 6400)
        await self.say(
            "response.output_audio_transcript.delta", response_id=name, item_id="item_1", output_index=0, content_index=0, delta="eight ch"
        )
        return name

    async def end(self, name: str, usage: Any = USAGE, *, status: str = "completed") -> None:
        await self.say("response.done", response={"id": name, "object": "realtime.response", "status": status, "usage": usage})


Behave = Callable[[Peer, dict[str, Any]], Awaitable[None]]


class RealtimeProvider:
    """`refuse` answers the next handshakes with these statuses. `usages` are those of the next responses."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.usages: deque[Any] = deque()
        self.refuse: deque[int] = deque()
        self.behave: Behave = self.answer
        self.greeting: dict[str, Any] = {}
        self._joined = asyncio.Condition()
        self.url = ""

    async def peer(self, number: int = 1) -> Peer:
        """The connection with this number, waited for."""
        async with asyncio.timeout(WAIT_LIMIT), self._joined:
            await self._joined.wait_for(lambda: len(self.peers) >= number)
        return self.peers[number - 1]

    async def answer(self, peer: Peer, event: dict[str, Any]) -> None:
        if event["type"] == "response.create":
            await peer.end(await peer.begin(), self.usages.popleft() if self.usages else USAGE)
        elif event["type"] == "session.update":
            await peer.say(
                "session.updated", session={"type": "realtime", "object": "realtime.session", "id": "sess_1", **event["session"]}
            )
        elif event["type"] == "conversation.item.create":
            await peer.say("conversation.item.added", item=event["item"], previous_item_id=None)

    async def _serve(self, connection: ServerConnection) -> None:
        peer = Peer(connection)
        async with self._joined:
            self.peers.append(peer)
            self._joined.notify_all()
        try:
            session = {"type": "realtime", "object": "realtime.session", "id": "sess_1", "model": "voice-real", **self.greeting}
            await peer.say("session.created", session=session)
            async for message in connection:
                async with peer.changed:
                    peer.raw.append(message)
                    peer.changed.notify_all()
                if isinstance(message, str):
                    await self.behave(peer, json.loads(message))
        except ConnectionClosed:
            return
        finally:
            peer.gone.set()

    def _process(self, connection: ServerConnection, request: Request) -> Response | None:
        if not self.refuse:
            return None
        status = self.refuse.popleft()
        response = connection.respond(status, "no")
        if 300 <= status < 400:
            response.headers["Location"] = "ws://127.0.0.1:1/elsewhere"
        return response

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        async with serve(self._serve, "127.0.0.1", 0, process_request=self._process, max_size=None, close_timeout=1) as server:
            self.url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            yield self
