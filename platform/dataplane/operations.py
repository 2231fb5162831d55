"""/livez, /readyz and /metrics, and the answer for an address that is nobody's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from dataplane.asgi import JSON_TYPE, Disconnected, Request, respond
from dataplane.handshake import Handshake

if TYPE_CHECKING:
    from dataplane.kit import Handler, Kit

_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
STALE_AFTER = 60.0


async def live(kit: Kit, request: Request) -> None:
    await _json(request, 200, {"live": True})


async def ready(kit: Kit, request: Request) -> None:
    """Ready means: has a snapshot and is not draining. A stale snapshot is served and said, never a reason to be taken out:
    otherwise an outage of the control plane would take every gateway with it."""
    snapshot = kit.store.current
    is_ready = snapshot.version > 0 and not kit.draining
    await _json(
        request,
        200 if is_ready else 503,
        {
            "ready": is_ready,
            "draining": kit.draining,
            "snapshot": {"version": snapshot.version, "loaded_at": snapshot.loaded_at},
            "age_seconds": round(time.time() - snapshot.loaded_at, 1) if snapshot.loaded_at else None,
            "active_calls": len(kit.active),
        },
    )


async def metrics(kit: Kit, request: Request) -> None:
    await respond(request.send, 200, [_TEXT], kit.metrics.render())


async def not_found(kit: Kit, request: Request) -> None:
    body = {"error": {"message": "Nothing answers at this address.", "code": "not_found", "request_id": request.id}}
    await _json(request, 404, body)


async def no_socket(kit: Kit, handshake: Handshake) -> None:
    try:
        await handshake.begin()
    except Disconnected:
        return
    body = {"error": {"message": "Nothing answers at this address.", "code": "not_found", "request_id": handshake.id}}
    await handshake.deny(404, [JSON_TYPE, (b"x-request-id", handshake.id.encode())], msgspec.json.encode(body))


async def _json(request: Request, status: int, body: Mapping[str, object]) -> None:
    headers = [JSON_TYPE, (b"cache-control", b"no-store"), (b"x-request-id", request.id.encode())]
    await respond(request.send, status, headers, msgspec.json.encode(body))


HANDLERS: dict[str, Handler] = {"/livez": live, "/readyz": ready, "/metrics": metrics}
