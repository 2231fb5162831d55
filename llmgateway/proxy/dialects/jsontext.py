"""JSON as text and as objects, for dialects that have objects where the conversation has text."""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.parts import Json, ToolCall


def arguments_of(call: ToolCall) -> dict[str, Json] | None:
    """The object that the arguments are, {} for none; None for what is no JSON object."""
    if not call.arguments.strip():
        return {}
    try:
        value = msgspec.json.decode(call.arguments)
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def compact_object(text: str) -> dict[str, Json] | None:
    """The object that this text is the compact JSON of, so that it is read back as the same text; None for any other text."""
    if not text.startswith("{"):
        return None
    try:
        value = msgspec.json.decode(text)
        same = msgspec.json.encode(value).decode() == text
    except (msgspec.DecodeError, RecursionError):
        return None
    return value if same and isinstance(value, dict) else None
