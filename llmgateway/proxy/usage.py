"""Providers' usage objects, brought to the house's disjoint buckets.

OpenAI's dialects count cached, written and audio tokens inside the prompt's count and reasoning inside the completion's;
Anthropic's buckets are disjoint already. Vendors of the OpenAI dialect put the cached count in different places:
`prompt_tokens_details.cached_tokens`, Mistral `num_cached_tokens`, DeepSeek `prompt_cache_hit_tokens`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from dataplane.call import Usage

Count = Annotated[int, msgspec.Meta(ge=0, le=10**9)]
"""A count that can be true. A usage object with another one is not believed: the call is settled as an estimate."""


class Details(msgspec.Struct):
    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None
    audio_tokens: Count | None = None
    reasoning_tokens: Count | None = None


class ChatUsage(msgspec.Struct):
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None
    num_cached_tokens: Count | None = None
    prompt_cache_hit_tokens: Count | None = None


class ResponsesUsage(msgspec.Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_tokens_details: Details | None = None
    output_tokens_details: Details | None = None


class CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class ThinkingDetails(msgspec.Struct):
    thinking_tokens: Count | None = None


class MessagesUsage(msgspec.Struct):
    input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    cache_creation: CacheCreation | None = None
    output_tokens: Count | None = None
    output_tokens_details: ThinkingDetails | None = None


_NONE = Details()


def _buckets(prompt: int, output: int, *, inside: Details, outside: Details, cached: int) -> Usage:
    written = inside.cache_write_tokens or 0
    # OpenRouter counts a token of an implicit cache as read and as written at once: then only the read ones are inside.
    taken = cached + written if cached + written <= prompt else cached
    usage = {
        "input": max(prompt - taken, 0),
        "cached_read": cached,
        "cache_write_5m": written,
        "cache_write_1h": 0,
        "output": output,
        "reasoning": min(outside.reasoning_tokens or 0, output),
    }
    if inside.audio_tokens:
        usage["audio_input"] = min(inside.audio_tokens, prompt)
    if outside.audio_tokens:
        usage["audio_output"] = min(outside.audio_tokens, output)
    return usage


def from_chat(usage: ChatUsage) -> Usage | None:
    """None when neither side is counted: such an object says nothing."""
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    inside, outside = usage.prompt_tokens_details or _NONE, usage.completion_tokens_details or _NONE
    cached = inside.cached_tokens
    if cached is None:
        cached = usage.num_cached_tokens if usage.num_cached_tokens is not None else usage.prompt_cache_hit_tokens
    return _buckets(usage.prompt_tokens or 0, usage.completion_tokens or 0, inside=inside, outside=outside, cached=cached or 0)


def from_responses(usage: ResponsesUsage) -> Usage | None:
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    inside, outside = usage.input_tokens_details or _NONE, usage.output_tokens_details or _NONE
    return _buckets(usage.input_tokens or 0, usage.output_tokens or 0, inside=inside, outside=outside, cached=inside.cached_tokens or 0)


def merge_messages(earlier: MessagesUsage, later: MessagesUsage) -> MessagesUsage:
    """`message_delta` counts are cumulative and name only some buckets: what is named replaces what was known."""
    values = {name: getattr(later, name) for name in MessagesUsage.__struct_fields__}
    return msgspec.structs.replace(earlier, **{name: value for name, value in values.items() if value is not None})


def from_messages(usage: MessagesUsage) -> Usage:
    created = usage.cache_creation
    five, hour = usage.cache_creation_input_tokens or 0, 0
    if created is not None and (created.ephemeral_5m_input_tokens or created.ephemeral_1h_input_tokens):
        five, hour = created.ephemeral_5m_input_tokens or 0, created.ephemeral_1h_input_tokens or 0
    details = usage.output_tokens_details
    return {
        "input": usage.input_tokens or 0,
        "cached_read": usage.cache_read_input_tokens or 0,
        "cache_write_5m": five,
        "cache_write_1h": hour,
        "output": usage.output_tokens or 0,
        "reasoning": (details.thinking_tokens or 0) if details is not None else 0,
    }
