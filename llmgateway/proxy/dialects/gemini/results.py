"""What a tool answered: text in the conversation, an object in Gemini. Each way is the other's inverse.

one text            {"result": text}, or the object itself where the text is one, spelled compactly
several texts       {"texts": […]}
no text             {}
a tool's failure    {"error": text}, as Google asks for, or {"error": […]}
"""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.parts import AnyPart, Json, ToolResult

_BROKEN = (msgspec.MsgspecError, UnicodeError, RecursionError)


def compact(value: Json) -> str:
    return msgspec.json.encode(value).decode()


def object_of(text: str) -> dict[str, Json] | None:
    """The JSON object that the text is; None where it is none."""
    try:
        value = msgspec.json.decode(text or "{}")
    except _BROKEN:
        return None
    return value if isinstance(value, dict) else None


def spell(texts: list[str], *, failed: bool) -> dict[str, Json]:
    if failed:
        return {"error": texts[0] if len(texts) == 1 else list(texts)}
    if len(texts) == 1:
        return _spell_one(texts[0])
    return {"texts": list(texts)} if texts else {}


def _spell_one(text: str) -> dict[str, Json]:
    """The object itself only where reading it gives this very text again."""
    found = object_of(text) if text.startswith("{") else None
    if found is None or _compact_or_none(found) != text or read(found) != ([text], False):
        return {"result": text}
    return found


def _compact_or_none(value: Json) -> str | None:
    try:
        return compact(value)
    except _BROKEN:
        return None


def read(response: dict[str, Json]) -> tuple[list[str], bool]:
    """The texts, and whether they tell of a failure."""
    if not response:
        return [], False
    if len(response) == 1:
        told = _read_one(*next(iter(response.items())))
        if told is not None:
            return told
    return [compact(response)], False


def _read_one(name: str, value: Json) -> tuple[list[str], bool] | None:
    several = isinstance(value, list) and all(isinstance(item, str) for item in value)
    match name:
        case "error" if isinstance(value, str):
            return [value], True
        case "error" if several and len(value) != 1:
            return value, True
        case "texts" if several and len(value) > 1:
            return value, False
        case "result" if isinstance(value, str) and _spell_one(value) == {"result": value}:
            return [value], False
        case _:
            return None


def in_order_of_calls(parts: list[AnyPart], calls: list[str]) -> list[AnyPart]:
    """With the results in the order in which their calls were made; everything else keeps its place. A caller that runs tools
    side by side tells their results as they end, and Gemini takes those of one function by their order."""
    places = [place for place, part in enumerate(parts) if isinstance(part, ToolResult)]
    order = {call: number for number, call in enumerate(calls)}
    results = [part for part in parts if isinstance(part, ToolResult)]
    ordered = list(parts)
    for place, result in zip(places, sorted(results, key=lambda one: order.get(one.call_id, len(order))), strict=True):
        ordered[place] = result
    return ordered
