"""The caller's JSON body, parsed no deeper than the gateway must look, and written again without losing a byte of it.

Only the members of the top level are told apart; their values stay the raw bytes that were sent, so a 400 KB prompt is
scanned once and unknown fields survive by construction.
"""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from dataplane.errors import BadRequest

MAX_INTEGER = 10**9
"""More tokens or choices than any model makes; larger numbers only serve to break arithmetic further down."""

Fields = dict[str, msgspec.Raw]

_members = msgspec.json.Decoder(Fields)
_strings = msgspec.json.Decoder(str)
_integers = msgspec.json.Decoder(Annotated[int, msgspec.Meta(le=MAX_INTEGER)] | None)
_flags = msgspec.json.Decoder(bool | None)
_encoder = msgspec.json.Encoder()


def parse(body: bytes) -> Fields:
    """The members of a JSON object. Raises BadRequest."""
    try:
        return _members.decode(body)
    except msgspec.ValidationError:
        raise BadRequest("The body must be a JSON object.", code="invalid_json") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not valid JSON: {error}", code="invalid_json") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply.", code="invalid_json") from None


def string(fields: Fields, name: str) -> str:
    """A required, non-empty string."""
    raw = fields.get(name)
    if raw is None:
        raise BadRequest(f"The field {name} is required.", param=name, code="missing_field")
    try:
        value = _strings.decode(raw)
    except UnicodeDecodeError:
        raise BadRequest(f"The field {name} is not valid UTF-8.", param=name, code="invalid_json") from None
    except msgspec.MsgspecError:
        raise BadRequest(f"The field {name} must be a string.", param=name, code="invalid_type") from None
    if not value:
        raise BadRequest(f"The field {name} must not be empty.", param=name, code="invalid_value")
    return value


def flag(fields: Fields, name: str) -> bool:
    raw = fields.get(name)
    if raw is None:
        return False
    try:
        return bool(_flags.decode(raw))
    except msgspec.MsgspecError:
        raise BadRequest(f"The field {name} must be true or false.", param=name, code="invalid_type") from None


def integer(fields: Fields, name: str) -> int | None:
    """An optional integer that is not negative."""
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        value: int | None = _integers.decode(raw)
    except msgspec.MsgspecError:
        raise BadRequest(f"The field {name} must be an integer, {MAX_INTEGER} at the most.", param=name, code="invalid_type") from None
    if value is not None and value < 0:
        raise BadRequest(f"The field {name} must not be negative.", param=name, code="invalid_value")
    return value


_DECISIVE = frozenset({"model", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "max_output_tokens"})


MOST_SEEN = 1000
_seen_plain: set[str] = set()
"""Members that were found to be plain before: every call names the same few."""


def refuse_ambiguous(fields: Fields) -> None:
    """Refuses a member that differs from one the gateway decides on only in case: a provider whose parser ignores case (Go's
    does) would read it as that one, and serve another model than the one that was granted and priced."""
    for name in fields:
        if name in _seen_plain:
            continue
        if name not in _DECISIVE and name.casefold() in _DECISIVE:
            text = f"The field {name[:64]!r} is ambiguous: it differs from {name.casefold()} only in case."
            raise BadRequest(text, param=name[:64], code="ambiguous_field")
        if len(_seen_plain) < MOST_SEEN:
            _seen_plain.add(name)


_FIRST_BYTES = {("array",): b"[", ("string", "array"): b'["', ("object", "string"): b'{"', ("string",): b'"'}


def require(fields: Fields, name: str, kinds: tuple[str, ...]) -> None:
    """Refuses a missing field or one of another JSON type. Looks at one byte."""
    raw = fields.get(name)
    if raw is None:
        raise BadRequest(f"The field {name} is required.", param=name, code="missing_field")
    if memoryview(raw)[0] not in _FIRST_BYTES[kinds]:
        raise BadRequest(f"The field {name} must be of type {' or '.join(kinds)}.", param=name, code="invalid_type")


def rewrite(body: bytes, fields: Fields, owned: dict[str, object], *, anew: bool = False) -> bytes:
    """The body with the gateway's own fields in place of the caller's.

    With nothing to change it is the very body that came, unless the model might be named twice in it (by duplicate
    members or by an escaped name): which one counts would then be up to the upstream's parser, so it is written anew. `anew`
    does so in any case."""
    if not (owned or anew):
        written = _encoder.encode(fields)
        # A regular expression with a literal at its head finds rare bytes three times as fast as bytes.count does.
        if written == body or (len(_MODEL.findall(body)) == 1 and _ESCAPED.search(body) is None):
            return body
        return written
    changed = dict(fields)
    for name, value in owned.items():
        changed[name] = msgspec.Raw(_encoder.encode(value))
    return _encoder.encode(changed)


_MODEL = re.compile(rb'"model"')
_REMARKABLE = re.compile(
    rb'"(?:url"|file_|image_url|container|vector_store|previous_response|conversation|id"|item_reference|input_file|training_file'
    rb"|validation_file|fileUri|cached|encrypted_content|ch1\.|Y2gxL)"
)
_ESCAPED = re.compile(rb"\\u00[0-7]")


def remarkable(body: bytes) -> bool:
    """Whether anything in the body has to be looked at more closely: the name of a member that may refer to something stored
    or lying elsewhere, a sealed signature, or an escaped character behind which such a name may hide. Two plain searches
    spare most prompts all the others."""
    return _REMARKABLE.search(body) is not None or _ESCAPED.search(body) is not None


REFERENCES = frozenset({"previous_response_id", "conversation", "prompt"})
_NESTED = re.compile(
    rb'"(?:file_id|file_url|file_uri|fileUri|image_url|container|cachedContent|cached_content)"|"type"\s*+:\s*+"url"|\\u00[4-7]'
)


def refers_elsewhere(body: bytes, fields: Fields) -> bool:
    """Whether the call names content that is not in its body, so that its size says little about its input."""
    return not REFERENCES.isdisjoint(fields) or _NESTED.search(body) is not None


def is_true(fields: Fields, name: str) -> bool:
    """Whether an optional member is literally true. What else it may be is for the upstream to judge."""
    raw = fields.get(name)
    return raw is not None and bytes(memoryview(raw)) == b"true"
