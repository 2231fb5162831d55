"""What a body refers to that is stored at a provider: earlier responses, conversations, files, vector stores, containers,
items by id alone.

A body is searched first, which costs next to nothing on a long prompt; only one that may hold a reference is decoded.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from dataplane.errors import BadRequest

Fields = Mapping[str, msgspec.Raw]

_SUSPECT = (b"file_id", b'"vector_store_id', b'"container')
"""Beginnings of members that may refer to something. Plain searches are the fastest there is on a long prompt."""

_ID = b'"id"'
_ESCAPED = re.compile(rb"\\u00[0-7]")
"""A character of ASCII that is written as an escape: a member's name could hide behind it."""

_SEALED = b'"encrypted_content"'

_SINGLE = frozenset(
    {"file_id", "vector_store_id", "container_id", "input_file_id", "previous_response_id", "training_file", "validation_file"}
)
_SEVERAL = frozenset({"file_ids", "vector_store_ids"})
_OPAQUE = frozenset(
    {"parameters", "schema", "input_schema", "metadata", "attributes", "arguments", "annotations", "results", "filters", "logprobs"}
)
"""Members whose inside belongs to the caller, or only tells of what was: nothing in them is looked up by a provider."""

_REFERRING = _SINGLE | _SEVERAL | {"container"}
_NAMES_ONLY = frozenset({"id", "type"})
LONGEST_BARE = 512
"""Bytes of an item that is nothing but an id and a type."""

_raws = msgspec.json.Decoder(list[msgspec.Raw])

MOST_SEALED = 8
"""Of a long conversation the newest reasoning tells where it was made."""


def references(fields: Fields) -> list[str]:
    """Every id in the body that names something stored, each once, in order. `fields` are the members of a JSON object with
    their values as raw JSON. Raises BadRequest for a reference of a type that no reference has."""
    found: dict[str, None] = {}
    for name, raw in fields.items():
        for ident in _of_member(name, raw):
            found.setdefault(ident)
    return list(found)


def _of_member(name: str, raw: msgspec.Raw) -> Iterator[str]:
    if name in _SINGLE or name in _SEVERAL:
        yield from _named(name, _decoded(name, raw))
    elif name == "conversation":
        yield from _conversation(_decoded(name, raw))
    elif name not in _OPAQUE:
        data = bytes(memoryview(raw))
        hidden = b"\\u00" in data and _ESCAPED.search(data) is not None
        if name in ("input", "items") and data[:1] == b"[" and (hidden or _ID in data):
            yield from _bare_items(name, raw, hidden)
        if hidden or any(beginning in data for beginning in _SUSPECT):
            value = _decoded(name, raw)
            _refuse_twice(name, data, value, hidden=hidden)
            yield from _walk(value)


def _bare_items(name: str, raw: msgspec.Raw, hidden: bool) -> Iterator[str]:
    """The ids of items that are given by their id, with no content of their own. They are short, or say what they are."""
    try:
        items = _raws.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        raise BadRequest(f"The field {name} is not valid JSON.", param=name, code="invalid_json") from None
    for item in items:
        data = bytes(memoryview(item))
        if hidden or len(data) <= LONGEST_BARE or b'"item_reference"' in data:
            value = _decoded(name, item)
            if isinstance(value, dict) and _is_bare(value):
                if data.count(_ID) > 1:
                    raise _twice(name)
                if isinstance(ident := value.get("id"), str):
                    yield ident


def _refuse_twice(name: str, data: bytes, value: Any, *, hidden: bool) -> None:
    """Refuses an object that has the same reference twice: which one counts would be up to the provider's parser, and this one
    sees only the last. In JSON, a name between bare quotes can be nothing but a member or a whole string."""
    if hidden:
        try:
            json.loads(data, object_pairs_hook=_once)
        except (_Twice, RecursionError, ValueError):
            raise _twice(name) from None
        return
    suspects = {suspect: told for suspect in _REFERRING if (told := data.count(b'"%s"' % suspect.encode()))}
    if suspects:
        seen = Counter(text for text in _texts(value) if text in suspects)
        if any(told > seen[suspect] for suspect, told in suspects.items()):
            raise _twice(name)


class _Twice(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs if name in _REFERRING or name in _NAMES_ONLY]
    if len(names) != len(set(names)):
        raise _Twice


def _twice(name: str) -> BadRequest:
    return BadRequest(f"An object in the field {name} has a member twice, or is nested too deeply.", param=name, code="ambiguous_field")


def _texts(value: Any) -> Iterator[str]:
    """Every member's name and every string, wherever it stands."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            left.extend(value)
        elif isinstance(value, dict):
            yield from value
            left.extend(value.values())


def _decoded(name: str, raw: msgspec.Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRequest(f"The field {name} is not valid JSON.", param=name, code="invalid_json") from None


def _named(name: str, value: Any) -> Iterator[str]:
    if value is None:
        return
    values = value if name in _SEVERAL and isinstance(value, list) else [value]
    for ident in values:
        if not isinstance(ident, str) or (name in _SEVERAL and not isinstance(value, list)):
            raise BadRequest(f"The field {name} does not hold an id where it must.", param=name, code="invalid_type")
        yield ident


def _conversation(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = value.get("id")
        if value is None:
            raise BadRequest("The field conversation has no id.", param="conversation.id", code="missing_field")
    if value is None:
        return
    if not isinstance(value, str):
        raise BadRequest("The field conversation must be an id or an object with one.", param="conversation", code="invalid_type")
    yield value


def _is_bare(item: dict[str, Any]) -> bool:
    return item.get("type") == "item_reference" or item.keys() <= _NAMES_ONLY


def _walk(value: Any) -> Iterator[str]:
    """Depth first, without recursion: a body may be nested as deep as its parser lets it."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left.extend(reversed(value))
        elif isinstance(value, dict):
            for name, inner in value.items():
                if name in _OPAQUE:
                    continue
                if isinstance(inner, str):
                    if name in _SINGLE or name == "container":
                        yield inner
                elif name in _SEVERAL and isinstance(inner, list):
                    yield from (ident for ident in inner if isinstance(ident, str))
                else:
                    left.append(inner)


def reasoning_pins(fields: Fields) -> list[str]:
    """Under what the newest reasoning in the input was remembered when it was made: it is encrypted, and only the account that
    made it can read it. For `owners.preferred`; nothing is refused for it."""
    raw = fields.get("input")
    if raw is None or _SEALED not in bytes(memoryview(raw)):
        return []
    items = _decoded("input", raw)
    sealed = (
        [item for item in items if isinstance(item, dict) and isinstance(item.get("encrypted_content"), str)]
        if isinstance(items, list)
        else []
    )
    return [sealed_id(item["encrypted_content"]) for item in sealed[-MOST_SEALED:]]


def sealed_id(text: str) -> str:
    """What encrypted reasoning is remembered by: clients may leave its id out when they send it back."""
    return f"sealed:{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"
