"""Usage as this dialect tells it: cached and written tokens are inside the input's count, reasoning inside the output's."""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.usage import ResponsesUsage, from_responses


def read_usage(value: Json) -> Usage:
    """{} when nothing is told, or nothing that can be true."""
    if not isinstance(value, dict):
        return {}
    try:
        return from_responses(msgspec.convert(value, ResponsesUsage)) or {}
    except msgspec.ValidationError:
        return {}


def write_usage(usage: Usage) -> dict[str, Json] | None:
    if not usage:
        return None
    cached = usage.get("cached_read", 0)
    written = usage.get("cache_write_5m", 0) + usage.get("cache_write_1h", 0)
    sent = usage.get("input", 0) + cached + written
    said = usage.get("output", 0)
    inside = {"cached_tokens": cached, "cache_write_tokens": written}
    outside = {"reasoning_tokens": usage.get("reasoning", 0)}
    if usage.get("audio_input"):
        inside["audio_tokens"] = usage["audio_input"]
    if usage.get("audio_output"):
        outside["audio_tokens"] = usage["audio_output"]
    return {
        "input_tokens": sent,
        "input_tokens_details": inside,
        "output_tokens": said,
        "output_tokens_details": outside,
        "total_tokens": sent + said,
    }
