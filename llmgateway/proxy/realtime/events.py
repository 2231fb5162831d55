"""The events of the realtime dialect, read no deeper than the gateway must look; what is not owned passes as it came.

Of the client's events the gateway owns the model's name: in `session.update` (at the top and inside `session`) and in
`response.create`. Of the server's it reads which responses begin and end, and what they used.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from dataplane.errors import BadRequest, HouseError, NotFound
from dataplane.ids import new_id
from llmgateway.proxy.dialects.errors import openai_object

Message = str | bytes
Fields = dict[str, msgspec.Raw]

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_members = msgspec.json.Decoder(Fields)
_strings = msgspec.json.Decoder(str)
_encoder = msgspec.json.Encoder()
_limits = msgspec.json.Decoder(int | str | None)

_DECISIVE = frozenset({"type", "event_id", "session", "response", "model"})
_OWNED = frozenset({"session", "response", "model"})
_HIDDEN = re.compile(rb"\\u00[4567]")
"""A letter that is written as an escape, which no encoder does by itself: a name may be hidden in it."""

MOST_EVENT_ID = 512


class ClientEvent(NamedTuple):
    """`message` is what came."""

    type: str
    event_id: str | None
    fields: Fields
    message: Message

    @property
    def raw(self) -> bytes:
        return self.message if isinstance(self.message, bytes) else self.message.encode()


def client_event(message: Message) -> ClientEvent | None:
    """None for a binary message that is no JSON object. Raises BadRequest for a text that is none: where the upstream
    reads more into it than the gateway does, nothing that the gateway holds would hold."""
    try:
        fields = _members.decode(message)
    except UNREADABLE:
        if isinstance(message, bytes):
            return None
        raise BadRequest("The event is not a JSON object.", code="invalid_json") from None
    refuse_ambiguous(fields, _DECISIVE)
    return ClientEvent(_string(fields, "type") or "", _string(fields, "event_id"), fields, message)


def refuse_ambiguous(fields: Fields, decisive: frozenset[str]) -> None:
    """Refuses a member that differs only in case from one that the gateway decides on: some parsers take it for that one."""
    for name in fields:
        if name not in decisive and name.casefold() in decisive:
            text = f"The field {name[:64]!r} is ambiguous: it differs from {name.casefold()} only in case."
            raise BadRequest(text, param=name[:64], code="ambiguous_field")


def _string(fields: Fields, name: str) -> str | None:
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return _strings.decode(raw)
    except UNREADABLE:
        return None  # for the upstream to judge


def members_of(fields: Fields, name: str) -> Fields:
    """The members of an object inside; none when there is none."""
    raw = fields.get(name)
    if raw is None:
        return {}
    try:
        return _members.decode(raw)
    except UNREADABLE:
        return {}


class Ownership(NamedTuple):
    """The model by its name in the house and by its name at the provider."""

    model: str
    upstream: str

    def apply(self, event: ClientEvent) -> Message:
        """What goes upstream for the event: the very message, unless it names the model. Raises NotFound for another
        model, and BadRequest for a session of another kind."""
        if _OWNED.isdisjoint(event.fields):
            return event.message
        changed, whole = dict(event.fields), event.raw
        rewritten = self._own(changed, "model", whole) or _HIDDEN.search(whole) is not None
        for part in ("session", "response"):
            if part not in changed:
                continue
            inside, raw = members_of(changed, part), bytes(changed[part])
            refuse_ambiguous(inside, frozenset({"model", "type"}))
            if part == "session" and _string(inside, "type") == "transcription":
                raise BadRequest("Sessions that only transcribe are not served here.", param="session.type", code="session_not_served")
            if self._own(inside, f"{part}.model", raw) or (inside and rewritten):
                changed[part] = msgspec.Raw(_encoder.encode(inside))
                rewritten = True
            if whole.count(b'"%s"' % part.encode()) > 1:
                rewritten = True  # it may be there twice: the upstream gets the one that was looked at
        if not rewritten:
            return event.message
        out = _encoder.encode(changed)
        return out if isinstance(event.message, bytes) else out.decode()

    def _own(self, fields: Fields, path: str, raw: bytes) -> bool:
        """Whether it had to be written anew."""
        if "model" not in fields:
            return False
        named = _string(fields, "model")
        if named not in (self.model, self.upstream):
            text = f"This connection was opened for the model {self.model!r}; another one needs a connection of its own."
            raise NotFound(text, param=path, code="model_not_found")
        if named == self.upstream and raw.count(b'"model"') == 1:
            return False
        fields["model"] = msgspec.Raw(_encoder.encode(self.upstream))
        return True


def max_output_of(fields: Fields) -> int | None:
    """The most output tokens that a response or a session sets; None for `inf`, for none, and for what is no number."""
    for name in ("max_output_tokens", "max_response_output_tokens"):
        if (raw := fields.get(name)) is not None:
            try:
                value = _limits.decode(raw)
            except UNREADABLE:
                return None
            return value if isinstance(value, int) and 0 < value <= 10**6 else None
    return None


def session_update(session: Fields) -> str:
    return _encoder.encode({"type": "session.update", "session": session}).decode()


def response_cancel(response: str) -> str:
    return _encoder.encode({"type": "response.cancel", "response_id": response}).decode()


def error_event(error: HouseError, request_id: str, event_id: str | None) -> str:
    """A refusal as the dialect's own event. `event_id` is the client's, of the event that is refused."""
    told = msgspec.json.decode(openai_object(error, request_id))["error"]
    told["event_id"] = event_id[:MOST_EVENT_ID] if event_id is not None else None
    return _encoder.encode({"type": "error", "event_id": f"event_{new_id()}", "error": told}).decode()
