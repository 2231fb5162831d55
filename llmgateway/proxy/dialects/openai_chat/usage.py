"""Usage, between this dialect and the house's buckets: here the prompt's count includes what was cached, written to a cache
or heard, and the completion's includes reasoning."""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.usage import ChatUsage, from_chat


def read_usage(value: Json) -> Usage:
    """{} for a usage that says nothing or that can't be true: the call is settled as an estimate then."""
    if value is None:
        return {}
    try:
        return from_chat(msgspec.convert(value, ChatUsage)) or {}
    except msgspec.ValidationError:
        return {}


def write_usage(usage: Usage) -> dict[str, Json]:
    written = usage.get("cache_write_5m", 0) + usage.get("cache_write_1h", 0)
    prompt = usage.get("input", 0) + usage.get("cached_read", 0) + written
    completion = usage.get("output", 0)
    inside = {"cached_tokens": usage.get("cached_read", 0), "audio_tokens": usage.get("audio_input", 0)}
    if written:
        inside["cache_write_tokens"] = written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": inside,
        "completion_tokens_details": {
            "reasoning_tokens": usage.get("reasoning", 0),
            "audio_tokens": usage.get("audio_output", 0),
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
