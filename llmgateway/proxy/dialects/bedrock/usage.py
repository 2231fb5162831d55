"""Bedrock's token counts and the house's buckets.

Bedrock's counts are disjoint, as Anthropic's are: `inputTokens` is what was neither read from the cache nor written to it
(Bedrock user guide, "Prompt caching"), `totalTokens` the sum. Reasoning is part of `outputTokens` and not told apart.
"""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.usage import Count


class _Written(msgspec.Struct, rename="camel"):
    ttl: str = "5m"
    input_tokens: Count = 0


class ConverseUsage(msgspec.Struct, rename="camel"):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_write_input_tokens: Count | None = None
    cache_details: list[_Written] | None = None


def from_converse(told: Json) -> Usage:
    """{} when nothing is told that can be believed: the call is settled as an estimate."""
    try:
        usage = msgspec.convert(told, ConverseUsage)
    except msgspec.ValidationError:
        return {}
    if usage.input_tokens is None and usage.output_tokens is None:
        return {}
    hour = sum(written.input_tokens for written in usage.cache_details or () if written.ttl == "1h")
    five = sum(written.input_tokens for written in usage.cache_details or () if written.ttl != "1h")
    return {
        "input": usage.input_tokens or 0,
        "cached_read": usage.cache_read_input_tokens or 0,
        "cache_write_5m": five if usage.cache_details else usage.cache_write_input_tokens or 0,
        "cache_write_1h": hour,
        "output": usage.output_tokens or 0,
        "reasoning": 0,
    }


def to_converse(usage: Usage) -> dict[str, Json]:
    five, hour = usage.get("cache_write_5m", 0), usage.get("cache_write_1h", 0)
    read = usage.get("cached_read", 0)
    told: dict[str, Json] = {"inputTokens": usage.get("input", 0), "outputTokens": usage.get("output", 0)}
    told["totalTokens"] = told["inputTokens"] + told["outputTokens"] + read + five + hour
    if read or five or hour:
        told |= {"cacheReadInputTokens": read, "cacheWriteInputTokens": five + hour}
        told["cacheDetails"] = [{"ttl": ttl, "inputTokens": count} for ttl, count in (("1h", hour), ("5m", five)) if count]
    return told
