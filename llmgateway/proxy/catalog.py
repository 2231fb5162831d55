"""/v1/models: what the caller may call, in the shape of the caller's SDK (Anthropic's when `anthropic-version` is sent)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from dataplane.asgi import JSON_TYPE, Headers, Request, respond
from dataplane.call import Call
from dataplane.errors import HouseError, MethodNotAllowed
from dataplane.snapshot import KeyRecord, ModelRecord
from dataplane.store import Snapshot
from llmgateway.proxy.call import unknown_model
from llmgateway.proxy.dialects.errors import anthropic, openai

if TYPE_CHECKING:
    from dataplane.kit import Kit

PATH = "/v1/models"


class Catalog:
    plane = "llm"

    async def open(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot) -> Call | None:
        if request.method not in ("GET", "HEAD"):
            raise MethodNotAllowed("This address takes GET.", headers=(("allow", "GET, HEAD"),))
        allowed = snapshot.allowed(key)
        models = [record for record in snapshot.llm.models if f"model:{record.name}" in allowed]
        name = request.path[len(PATH) + 1 :]
        shape = _anthropic if _is_anthropic(request) else _openai
        if name:
            found = next((record for record in models if record.name == name), None)
            if found is None:
                raise unknown_model(name)
            body: object = shape(found)
        else:
            body = _list(models, anthropic_shape=shape is _anthropic)
        await respond(request.send, 200, [JSON_TYPE, (b"x-request-id", request.id.encode())], msgspec.json.encode(body))
        return None

    def refuse(self, request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
        return (anthropic if _is_anthropic(request) else openai)(request, error)


def _is_anthropic(request: Request) -> bool:
    return b"anthropic-version" in request.headers


def _openai(record: ModelRecord) -> dict[str, object]:
    return {"id": record.name, "object": "model", "created": int(record.created_at), "owned_by": "customhouse"}


def _anthropic(record: ModelRecord) -> dict[str, object]:
    created = datetime.fromtimestamp(record.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"type": "model", "id": record.name, "display_name": record.name, "created_at": created}


def _list(models: list[ModelRecord], *, anthropic_shape: bool) -> dict[str, object]:
    if not anthropic_shape:
        return {"object": "list", "data": [_openai(record) for record in models]}
    first, last = (models[0].name, models[-1].name) if models else (None, None)
    return {"data": [_anthropic(record) for record in models], "has_more": False, "first_id": first, "last_id": last}
