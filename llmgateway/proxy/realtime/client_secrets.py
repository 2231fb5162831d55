"""POST /v1/realtime/client_secrets: the house's own, in the shape of OpenAI's."""

from __future__ import annotations

import time
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import msgspec

from dataplane.asgi import JSON_TYPE, Headers, Request, respond
from dataplane.call import Call
from dataplane.errors import BadRequest, HouseError, MethodNotAllowed
from dataplane.snapshot import KeyRecord
from dataplane.store import Snapshot
from llmgateway.proxy.dialects.errors import openai
from llmgateway.proxy.realtime.events import UNREADABLE, Fields, members_of, refuse_ambiguous
from llmgateway.proxy.realtime.opening import granted
from llmgateway.proxy.realtime.secrets import Secret, lifetime, seal

if TYPE_CHECKING:
    from dataplane.kit import Kit

MOST_BODY = 256 * 1024
_members = msgspec.json.Decoder(Fields)
_strings = msgspec.json.Decoder(str)
_encoder = msgspec.json.Encoder()


class ClientSecrets:
    plane = "llm"

    async def open(self, kit: Kit, request: Request, key: KeyRecord, snapshot: Snapshot) -> Call | None:
        """Answers by itself: nothing is used yet, so nothing is metered."""
        if request.method != "POST":
            raise MethodNotAllowed("This address takes POST.", headers=(("allow", "POST"),))
        fields = _parse(await request.body(limit=MOST_BODY))
        session = _session(fields)
        name = _model(session)
        granted(kit, snapshot, key, name)
        expires_at = int(time.time()) + lifetime(fields.get("expires_after"))
        if key.expires_at is not None:
            expires_at = min(expires_at, int(key.expires_at))
        configuration = {member: value for member, value in session.items() if member not in ("model", "id", "object", "expires_at")}
        configuration.setdefault("type", msgspec.Raw(b'"realtime"'))
        value = seal(kit.pepper, Secret(key.digest, name, expires_at, configuration))
        stated = {"id": f"sess_{token_urlsafe(16)}", "object": "realtime.session", "model": name, "expires_at": 0}
        body = _encoder.encode({"value": value, "expires_at": expires_at, "session": {**configuration, **stated}})
        headers = [JSON_TYPE, (b"cache-control", b"no-store"), (b"x-request-id", request.id.encode())]
        await respond(request.send, 200, headers, body)
        return None

    def refuse(self, request: Request, error: HouseError) -> tuple[int, Headers, bytes]:
        return openai(request, error)


def _parse(body: bytes) -> Fields:
    try:
        return _members.decode(body or b"{}")
    except UNREADABLE:
        raise BadRequest("The body must be a JSON object.", code="invalid_json") from None


def _session(fields: Fields) -> Fields:
    refuse_ambiguous(fields, frozenset({"session", "expires_after"}))
    session = members_of(fields, "session")
    if not session:
        raise BadRequest("The field session must be an object that names a model.", param="session", code="missing_field")
    refuse_ambiguous(session, frozenset({"model", "type"}))
    kind = session.get("type")
    if kind is not None and bytes(kind) != b'"realtime"':
        raise BadRequest("Only sessions of type realtime are served here.", param="session.type", code="session_not_served")
    return session


def _model(session: Fields) -> str:
    try:
        name = _strings.decode(session["model"])
    except KeyError:
        raise BadRequest("The field session.model is required.", param="session.model", code="missing_field") from None
    except UNREADABLE:
        raise BadRequest("The field session.model must be a string.", param="session.model", code="invalid_type") from None
    return name
