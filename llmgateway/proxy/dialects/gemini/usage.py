"""Gemini's `usageMetadata`, to the house's disjoint buckets and back.

`promptTokenCount` counts the cached tokens in; what server tools put before the model (`toolUsePromptTokenCount`) and what
it thought (`thoughtsTokenCount`) stand apart from the prompt's and the candidates' counts.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.usage import Count


class Modality(msgspec.Struct, rename="camel"):
    modality: str | None = None
    token_count: Count | None = None


class GeminiUsage(msgspec.Struct, rename="camel"):
    prompt_token_count: Count | None = None
    cached_content_token_count: Count | None = None
    tool_use_prompt_token_count: Count | None = None
    candidates_token_count: Count | None = None
    thoughts_token_count: Count | None = None
    prompt_tokens_details: list[Modality] | None = None
    cache_tokens_details: list[Modality] | None = None
    candidates_tokens_details: list[Modality] | None = None


def _audio(details: Iterable[Modality] | None) -> int:
    return sum(one.token_count or 0 for one in details or () if one.modality == "AUDIO")


def from_gemini(usage: GeminiUsage) -> Usage | None:
    """None when neither side is counted: such an object says nothing."""
    if usage.prompt_token_count is None and usage.candidates_token_count is None:
        return None
    prompt, cached = usage.prompt_token_count or 0, usage.cached_content_token_count or 0
    thoughts = usage.thoughts_token_count or 0
    buckets = {
        "input": max(prompt - cached, 0) + (usage.tool_use_prompt_token_count or 0),
        "cached_read": cached,
        "cache_write_5m": 0,
        "cache_write_1h": 0,
        "output": (usage.candidates_token_count or 0) + thoughts,
        "reasoning": thoughts,
    }
    heard = min(max(_audio(usage.prompt_tokens_details) - _audio(usage.cache_tokens_details), 0), buckets["input"])
    said = min(_audio(usage.candidates_tokens_details), buckets["output"])
    if heard:
        buckets["audio_input"] = heard
    if said:
        buckets["audio_output"] = said
    return buckets


def to_gemini(usage: Usage) -> dict[str, object]:
    """Written tokens of a cache are part of the prompt here. Modalities are told only where there was sound."""
    cached, thoughts, output = usage.get("cached_read", 0), usage.get("reasoning", 0), usage.get("output", 0)
    prompt = usage.get("input", 0) + cached + usage.get("cache_write_5m", 0) + usage.get("cache_write_1h", 0)
    spoken = max(output - thoughts, 0)
    told: dict[str, object] = {"promptTokenCount": prompt, "candidatesTokenCount": spoken, "totalTokenCount": prompt + output}
    if cached:
        told["cachedContentTokenCount"] = cached
    if thoughts:
        told["thoughtsTokenCount"] = thoughts
    if usage.get("audio_input"):
        told["promptTokensDetails"] = _details(prompt, usage["audio_input"])
    if usage.get("audio_output"):
        told["candidatesTokensDetails"] = _details(spoken, usage["audio_output"])
    return told


def _details(total: int, audio: int) -> list[dict[str, object]]:
    text = {"modality": "TEXT", "tokenCount": max(total - audio, 0)}
    return [text, {"modality": "AUDIO", "tokenCount": audio}]
