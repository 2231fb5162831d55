"""The live feed: every call that reaches the ledger is shown to the staff who watch, at most a second later.

Whoever records events announces them on the channel layer; each watching browser has one consumer. Staff see the calls
of their own team tree, superusers all of them. Events are told in batches, at most `MOST` of a batch: the feed is for
looking at, the ledger is for counting.
"""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import structlog
from asgiref.sync import async_to_sync
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import InMemoryChannelLayer, get_channel_layer

from dataplane.events import UsageEvent

log = structlog.get_logger(__name__)

GROUP = "usage.calls"
MOST = 50

_watching: set[asyncio.AbstractEventLoop] = set()
_lock = threading.Lock()


def announce(sender: object, *, events: list[UsageEvent], **_: Any) -> None:
    """Receiver of `usage.signals.events_recorded`, in whichever thread recorded them.

    The layer in memory belongs to the event loop of its consumers, so the news is handed over to that loop; nobody
    watching means no loop and nothing to do. Redis' layer is reached from anywhere."""
    layer = get_channel_layer()
    if layer is None or not events:
        return
    message = {"type": "calls", "calls": [told(event) for event in events[-MOST:]], "skipped": max(0, len(events) - MOST)}
    if not isinstance(layer, InMemoryChannelLayer):
        async_to_sync(layer.group_send)(GROUP, message)
        return
    with _lock:
        loops = [loop for loop in _watching if loop.is_running()]
    for loop in loops:
        asyncio.run_coroutine_threadsafe(layer.group_send(GROUP, message), loop)


def told(event: UsageEvent) -> dict[str, Any]:
    """What a watcher is shown of a call. Never content, only what the ledger has."""
    return {
        "at": datetime.fromtimestamp(event.at, UTC).isoformat(timespec="seconds"),
        "plane": event.plane,
        "what": event.model or "/".join(part for part in (event.server, event.agent, event.tool) if part),
        "who": event.principal_name,
        "team": event.team_name,
        "team_id": event.team,
        "where": event.provider,
        "outcome": event.outcome,
        "status": event.status,
        "tokens": event.usage.get("input", 0) + event.usage.get("cached_read", 0) + event.usage.get("output", 0),
        "cost": event.cost,
        "ms": round(event.latency_ms),
        "estimated": event.estimated,
    }


class CallsConsumer(AsyncJsonWebsocketConsumer):
    """One watching browser. Takes no messages: what a client sends is ignored."""

    async def connect(self) -> None:
        user = self.scope.get("user")
        if user is None or not (user.is_authenticated and user.is_active and user.is_staff):
            await self.close(code=4404)
            return
        self.everything = bool(user.is_superuser)
        self.teams: frozenset[int] = frozenset() if self.everything else await database_sync_to_async(lambda: user.team_scope)()
        await self.channel_layer.group_add(GROUP, self.channel_name)
        with _lock:
            _watching.add(asyncio.get_running_loop())
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Nothing is expected from a watcher."""

    async def calls(self, message: dict[str, Any]) -> None:
        seen = [call for call in message["calls"] if self.everything or call["team_id"] in self.teams]
        if seen:
            await self.send_json({"calls": seen, "skipped": message["skipped"]})
