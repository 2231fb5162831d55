"""A kept answer on its way to its caller."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from dataplane.answers import Kept
from dataplane.asgi import Headers, Message, Request
from dataplane.call import Call, Leg
from dataplane.errors import HouseError

if TYPE_CHECKING:
    from dataplane.kit import Kit

PIECE = 64 * 1024
"""Bytes that are written at once: a caller that reads slowly is waited for."""


class Giving:
    """A kept answer on its way to its caller. It may be cut as any call."""

    __slots__ = ("_kit", "_request", "call", "cut", "sending_since", "task")

    def __init__(self, kit: Kit, call: Call, request: Request) -> None:
        self._kit = kit
        self.call = call
        self._request = request
        self.cut = False
        self.sending_since = 0.0
        self.task: asyncio.Task[object] | None = None

    async def run(self, kept: Kept, headers: Headers) -> None:
        """As the first one went: a stream in pieces, anything else with its length."""
        self.task = asyncio.current_task()
        end = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
        if not kept.streams:
            end = [] if kept.status == 204 else [(b"content-length", b"%d" % len(kept.body))]
        self._kit.watch_over(self)
        try:
            await self._send({"type": "http.response.start", "status": kept.status, "headers": [*kept.headers, *headers, *end]})
            for start in range(0, len(kept.body), PIECE):
                await self._send({"type": "http.response.body", "body": kept.body[start : start + PIECE], "more_body": True})
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            if not self.cut or self.task is None:
                raise
            self.task.uncancel()
        finally:
            self._kit.active.discard(self)

    async def _send(self, message: Message) -> None:
        self.sending_since = time.monotonic()
        await self._request.send(message)
        self.sending_since = 0.0

    def look(self) -> None:
        """There is nothing to wait for but its caller."""

    def cancel(self, reason: HouseError) -> None:
        self.cut = True
        if self.task is not None:
            self.task.cancel()


def nowhere(name: str) -> Leg:
    """The leg of a call that did not leave the house."""
    leg = Leg.__new__(Leg)
    leg.provider, leg.deployment, leg.rates = "", name, None
    return leg
