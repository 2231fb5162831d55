"""Google's schema objects (a subset of OpenAPI 3.0, types in capitals) to JSON Schema and back.

What both know goes over by name. `nullable` becomes a second type, `example` a list of one; what is Google's alone
(`propertyOrdering`) stays under its name: JSON Schema lets a reader pass over words that it does not know.
"""

from __future__ import annotations

from collections.abc import Callable

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.gemini.reading import camel, whole, wrong

DEEPEST = 100
_COUNTS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_LISTS, _MAPS, _ONES = frozenset({"anyOf"}), frozenset({"properties", "$defs"}), frozenset({"items", "additionalProperties"})
_NULL = {"type": "null"}
_NAMES = {"ref": "$ref", "defs": "$defs"}


def to_json_schema(schema: Json, path: str) -> dict[str, Json]:
    """Raises BadRequest for what is no object or nested too deeply."""
    return _read(schema, path, 0)


def _read(schema: Json, path: str, depth: int) -> dict[str, Json]:
    if not isinstance(schema, dict):
        raise wrong(path, "a schema object")
    if depth > DEEPEST:
        raise BadRequest(f"The field {path[:100]} is nested too deeply.", param=path[:100], code="invalid_value")
    told: dict[str, Json] = {}
    for given, value in schema.items():
        name = _NAMES.get(given) or camel(given)
        told[name] = _inside(name, value, lambda inner: _read(inner, path, depth + 1))
    _read_type(told)
    if "example" in told:
        told["examples"] = [told.pop("example")]
    return told


def _inside(name: str, value: Json, each: Callable[[Json], Json]) -> Json:
    """A member's value, with the schemas in it changed. What is no schema is the vendor's to judge."""
    if name in _COUNTS:
        number = whole(value)
        return value if number is None else number
    if name in _ONES and isinstance(value, dict):
        return each(value)
    if name in _LISTS and isinstance(value, list):
        return [each(item) for item in value]
    if name in _MAPS and isinstance(value, dict):
        return {key: each(item) for key, item in value.items()}
    return value


def _read_type(told: dict[str, Json]) -> None:
    kind = told.get("type")
    if kind == "TYPE_UNSPECIFIED":
        told.pop("type")
        kind = None
    if isinstance(kind, str):
        told["type"] = kind.lower()
    if told.get("nullable") is not True:
        return
    if isinstance(kind, str):
        del told["nullable"]
        told["type"] = [told["type"], "null"]
        if isinstance(told.get("enum"), list):
            told["enum"] = [*told["enum"], None]
    elif kind is None and isinstance(told.get("anyOf"), list):
        del told["nullable"]
        told["anyOf"] = [*told["anyOf"], dict(_NULL)]


def from_json_schema(schema: Json) -> Json:
    """The inverse, for a schema that came in Google's spelling."""
    if not isinstance(schema, dict):
        return schema
    told = {name: _inside(name, value, from_json_schema) for name, value in schema.items()}
    kind, choices = told.get("type"), schema.get("anyOf")
    if kind is None and isinstance(choices, list) and len(choices) > 1 and choices[-1] == _NULL:
        told["anyOf"], told["nullable"] = told["anyOf"][:-1], True
    if isinstance(kind, list) and len(kind) == 2 and kind[1] == "null":
        kind, told["nullable"] = kind[0], True
        if isinstance(told.get("enum"), list):
            told["enum"] = [value for value in told["enum"] if value is not None]
    if isinstance(kind, str):
        told["type"] = kind.upper()
    if isinstance(told.get("examples"), list) and len(told["examples"]) == 1:
        told["example"] = told.pop("examples")[0]
    return told
