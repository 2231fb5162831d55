"""Usage objects of the realtime dialect, brought to the house's buckets.

`input_tokens` holds everything that went in: text, audio and images, the cached part of each included. Audio is counted
inside the house's `input` and `output` and priced by the difference, so `audio_input` must hold uncached audio alone: what
is cached costs the same whether it was spoken or written. Image tokens have no price apart and stay in `input`.

Sources: OpenAI's API reference, `response.done` and `conversation.item.input_audio_transcription.completed`.
"""

from __future__ import annotations

from math import ceil
from typing import Annotated

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.usage import Count

Seconds = Annotated[float, msgspec.Meta(ge=0, le=10**7)]


class CachedDetails(msgspec.Struct):
    audio_tokens: Count | None = None


class InputDetails(msgspec.Struct):
    cached_tokens: Count | None = None
    audio_tokens: Count | None = None
    cached_tokens_details: CachedDetails | None = None


class OutputDetails(msgspec.Struct):
    audio_tokens: Count | None = None


class ResponseUsage(msgspec.Struct):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_token_details: InputDetails | None = None
    output_token_details: OutputDetails | None = None


class TranscriptUsage(msgspec.Struct):
    """By tokens or by duration, as the transcribing model is billed."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_token_details: InputDetails | None = None
    seconds: Seconds | None = None


def from_response(usage: ResponseUsage) -> Usage | None:
    """None when neither side is counted: such an object says nothing."""
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    inside, outside = usage.input_token_details or InputDetails(), usage.output_token_details or OutputDetails()
    whole, output = usage.input_tokens or 0, usage.output_tokens or 0
    cached = min(inside.cached_tokens or 0, whole)
    details = inside.cached_tokens_details
    spoken_cached = (details.audio_tokens or 0) if details is not None else 0
    return _buckets(
        whole - cached,
        cached=cached,
        output=output,
        audio_input=(inside.audio_tokens or 0) - min(spoken_cached, cached),
        audio_output=outside.audio_tokens or 0,
    )


def from_transcript(usage: TranscriptUsage) -> Usage | None:
    if usage.seconds is not None:
        return {"seconds": ceil(usage.seconds)}
    if usage.input_tokens is None and usage.output_tokens is None:
        return None
    spoken = usage.input_token_details.audio_tokens if usage.input_token_details is not None else None
    return _buckets(usage.input_tokens or 0, cached=0, output=usage.output_tokens or 0, audio_input=spoken or 0, audio_output=0)


def _buckets(uncached: int, *, cached: int, output: int, audio_input: int, audio_output: int) -> Usage:
    """Audio that is said to be more than the whole it is a part of is not believed beyond the whole."""
    usage = {"input": uncached, "cached_read": cached, "cache_write_5m": 0, "cache_write_1h": 0, "output": output, "reasoning": 0}
    if (spoken := min(max(audio_input, 0), uncached)) > 0:
        usage["audio_input"] = spoken
    if (heard := min(audio_output, output)) > 0:
        usage["audio_output"] = heard
    return usage


def tokens_of(usage: Usage) -> int:
    """What counts against token limits."""
    return usage.get("input", 0) + usage.get("cached_read", 0) + usage.get("output", 0)
