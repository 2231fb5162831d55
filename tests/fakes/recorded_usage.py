"""What a recorded answer says was used, read on its own terms: nothing of the gateway's readers is used here.

Buckets are disjoint but for `reasoning` and audio, which are parts of `output` and `input`. The rules, by dialect:

* OpenAI's chat: `prompt_tokens` holds the cached and the written tokens of `prompt_tokens_details`, `completion_tokens`
  the reasoning. Mistral's older answers name cached tokens `num_cached_tokens`.
  OpenRouter counts a token of an implicit cache as read and as written at once: where both together are more than the
  prompt, they overlap and only the read ones are taken off (checked against the cost that OpenRouter states).
* OpenAI's responses: the same with `input_tokens` and `output_tokens`.
* Anthropic's messages: disjoint already; writes are split into 5 minutes and 1 hour by `cache_creation`; in a stream
  the counts of `message_delta` are cumulative and replace those of `message_start`.
* Gemini's: `promptTokenCount` holds the cached tokens, thoughts are apart from candidates, tools' prompts from the prompt;
  in a stream the counts are cumulative.
* Cohere's: what is billed (`billed_units`), for what ran through the model is more than that and has no price.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.fakes.cassettes import Cassette

Usage = dict[str, int]


def payloads(stream: bytes) -> Iterator[Any]:
    """The JSON of every event of a recorded stream; comments and `[DONE]` are passed over."""
    for block in stream.decode().replace("\r\n", "\n").split("\n\n"):
        data = [line.removeprefix("data:").removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if data and (text := "\n".join(data)) != "[DONE]":
            yield json.loads(text)


def recorded_usage(cassette: Cassette) -> Usage | None:
    """What was used, without the zeros; None when the answer does not say."""
    if cassette.status != 200:
        return None
    said = list(payloads(cassette.answer)) if cassette.streamed else [json.loads(cassette.answer)]
    if "enerateContent" in cassette.kind:
        told = [usage for body in said if "promptTokenCount" in (usage := body.get("usageMetadata", {}))]
        return _without_zeros(_gemini(told[-1])) if told else None
    if cassette.kind == "chat":
        return _without_zeros(_cohere(said[0]["usage"]["billed_units"]))
    raw = _merged(said) if cassette.kind == "messages" else _last(said)
    if raw is None:
        return None
    return _without_zeros(_anthropic(raw) if cassette.kind == "messages" else _openai(raw))


def _without_zeros(usage: Usage) -> Usage:
    return {bucket: count for bucket, count in usage.items() if count}


def _last(said: list[Any]) -> dict[str, Any] | None:
    found = [usage for body in said if (usage := body.get("usage") or (body.get("response") or {}).get("usage"))]
    return found[-1] if found else None


def _merged(said: list[Any]) -> dict[str, Any] | None:
    merged: dict[str, Any] = {}
    for body in said:
        merged.update((body.get("message") or {}).get("usage") or body.get("usage") or {})
    return merged or None


def _openai(raw: dict[str, Any]) -> Usage:
    whole_in = raw.get("prompt_tokens", raw.get("input_tokens", 0))
    whole_out = raw.get("completion_tokens", raw.get("output_tokens", 0)) or 0
    of_in = raw.get("prompt_tokens_details") or raw.get("input_tokens_details") or {}
    of_out = raw.get("completion_tokens_details") or raw.get("output_tokens_details") or {}
    cached = of_in.get("cached_tokens") or raw.get("num_cached_tokens") or 0
    written = of_in.get("cache_write_tokens") or 0
    taken = cached + written if cached + written <= whole_in else cached
    return {
        "input": whole_in - taken,
        "cached_read": cached,
        "cache_write_5m": written,
        "audio_input": of_in.get("audio_tokens") or 0,
        "output": whole_out,
        "audio_output": of_out.get("audio_tokens") or 0,
        "reasoning": min(of_out.get("reasoning_tokens") or 0, whole_out),
    }


def _anthropic(raw: dict[str, Any]) -> Usage:
    split = raw.get("cache_creation") or {}
    hour = split.get("ephemeral_1h_input_tokens", 0)
    return {
        "input": raw["input_tokens"],
        "cached_read": raw.get("cache_read_input_tokens") or 0,
        "cache_write_5m": (raw.get("cache_creation_input_tokens") or 0) - hour,
        "cache_write_1h": hour,
        "output": raw["output_tokens"],
        "reasoning": (raw.get("output_tokens_details") or {}).get("thinking_tokens", 0),
    }


def _cohere(raw: dict[str, Any]) -> Usage:
    return {"input": raw["input_tokens"], "output": raw["output_tokens"]}


def _gemini(raw: dict[str, Any]) -> Usage:
    def heard(details: str) -> int:
        return sum(entry.get("tokenCount", 0) for entry in raw.get(details, ()) if entry["modality"] == "AUDIO")

    cached = raw.get("cachedContentTokenCount", 0)
    thoughts = raw.get("thoughtsTokenCount", 0)
    return {
        "input": raw.get("promptTokenCount", 0) + raw.get("toolUsePromptTokenCount", 0) - cached,
        "cached_read": cached,
        "audio_input": heard("promptTokensDetails"),
        "output": raw.get("candidatesTokenCount", 0) + thoughts,
        "audio_output": heard("candidatesTokensDetails"),
        "reasoning": thoughts,
    }
