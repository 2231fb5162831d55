"""The house's buckets as Anthropic counts: disjoint, written tokens by how long they are kept, thinking inside the output."""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.usage import MessagesUsage


def read(raw: Json) -> MessagesUsage | None:
    """None when it says nothing, or a count that can't be true: such an object is not believed."""
    if not isinstance(raw, dict):
        return None
    try:
        told = msgspec.convert(raw, MessagesUsage)
    except msgspec.ValidationError:
        return None
    return None if told == MessagesUsage() else told


def write(usage: Usage) -> dict[str, Json]:
    """A client insists on both totals: what was not told is zero."""
    five, hour = usage.get("cache_write_5m", 0), usage.get("cache_write_1h", 0)
    told: dict[str, Json] = {
        "input_tokens": usage.get("input", 0),
        "cache_creation_input_tokens": five + hour,
        "cache_read_input_tokens": usage.get("cached_read", 0),
        "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
        "output_tokens": usage.get("output", 0),
    }
    if usage.get("reasoning"):
        told["output_tokens_details"] = {"thinking_tokens": usage["reasoning"]}
    return told
