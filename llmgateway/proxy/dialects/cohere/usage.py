"""Cohere's counts and the house's buckets.

Cohere bills `billed_units` and tells them in every answer. `tokens` counts what ran through the model, Cohere's own preamble
and markup included: recorded answers show 496 tokens of input for a prompt of one billed token. `cached_tokens` is a part
of those `tokens` and has no price of its own, so it is no part of what is billed. `tokens` count only where nothing is told
to be billed.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.parts import Json

Amount = Annotated[float, msgspec.Meta(ge=0, le=10**9)]
"""Cohere's counts are JSON numbers with or without a fraction."""


class Units(msgspec.Struct):
    input_tokens: Amount | None = None
    output_tokens: Amount | None = None
    image_tokens: Amount | None = None
    images: Amount | None = None
    search_units: Amount | None = None


class Told(msgspec.Struct):
    billed_units: Units | None = None
    tokens: Units | None = None
    cached_tokens: Amount | None = None


def from_cohere(told: Json) -> Usage:
    """The usage of a chat's answer, or the `meta` of another's. {} when nothing is told that can be believed."""
    try:
        usage = msgspec.convert(told, Told)
    except msgspec.ValidationError:
        return {}
    units, cached = usage.billed_units, 0
    if units is None or not any(getattr(units, name) is not None for name in Units.__struct_fields__):
        units = usage.tokens
        cached = int(usage.cached_tokens or 0)
    if units is None:
        return {}
    found: Usage = {}
    if units.input_tokens is not None or units.output_tokens is not None or units.image_tokens is not None:
        taken = int(units.input_tokens or 0) + int(units.image_tokens or 0)
        cached = min(cached, taken)
        found = {"input": taken - cached, "cached_read": cached, "cache_write_5m": 0, "cache_write_1h": 0}
        found |= {"output": int(units.output_tokens or 0), "reasoning": 0}
    for name, unit in (("requests", units.search_units), ("images", units.images)):
        if unit:
            found[name] = int(unit)
    return found


def to_cohere(usage: Usage) -> dict[str, Json]:
    """With what was read from a cache or written to one the whole is told as `tokens`: Cohere bills no such thing."""
    units: dict[str, Json] = {}
    if "input" in usage or "output" in usage:
        units = {"input_tokens": usage.get("input", 0), "output_tokens": usage.get("output", 0)}
    if usage.get("requests"):
        units["search_units"] = usage["requests"]
    if usage.get("images"):
        units["images"] = usage["images"]
    read = usage.get("cached_read", 0)
    moved = read + usage.get("cache_write_5m", 0) + usage.get("cache_write_1h", 0)
    if not moved:
        return {"billed_units": units} if units else {}
    return {"tokens": {**units, "input_tokens": usage.get("input", 0) + moved}, "cached_tokens": read}
