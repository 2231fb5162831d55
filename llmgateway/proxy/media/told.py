"""What an answer tells of its use, brought to the house's buckets.

Image models count tokens (`input_tokens`, `output_tokens`), what hears and speaks counts tokens or seconds (`usage.type` is
`tokens` or `duration`), what ranks counts tokens or searches. An image is counted as one beside its tokens: a price list
has a price of the one or of the other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.dialects.cohere.usage import from_cohere
from llmgateway.proxy.usage import ChatUsage, Count, Details, ResponsesUsage, from_chat, from_responses

Told = TypeVar("Told")

Seconds = Annotated[float, msgspec.Meta(ge=0, le=10**9)]


class _Heard(msgspec.Struct):
    """OpenAI spells the details without an s here."""

    input_tokens: Count | None = None
    output_tokens: Count | None = None
    input_token_details: Details | None = None
    seconds: Seconds | None = None


class _Drawn(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    svg_usage: msgspec.Raw = msgspec.Raw()


class _Spoken(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw()


class _Verbose(msgspec.Struct):
    duration: Seconds | None = None


class _Ranked(msgspec.Struct):
    usage: msgspec.Raw = msgspec.Raw()
    meta: msgspec.Raw = msgspec.Raw()


class _Searches(msgspec.Struct):
    total_tokens: Count | None = None
    search_units: Count | None = None


_drawn = msgspec.json.Decoder(_Drawn)
_spoken = msgspec.json.Decoder(_Spoken)
_ranked = msgspec.json.Decoder(_Ranked)

Read = Callable[[bytes], Usage]
"""Of one JSON object: a whole answer or an event's data. {} where it tells nothing that can be believed. Raises MsgspecError
for what is no such object."""


def _believed(raw: msgspec.Raw, kind: type[Told]) -> Told | None:
    if not memoryview(raw):
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def images(body: bytes) -> Usage:
    """`images` is counted in a whole answer, which lists them, and in the event that brings one."""
    told = _drawn.decode(body)
    found = _of_tokens(told.usage)
    authored = _of_tokens(told.svg_usage)
    if found or authored:
        found = {meter: found.get(meter, 0) + authored.get(meter, 0) for meter in {**found, **authored}}
    if told.data:
        found["images"] = len(told.data)
    return found


def _of_tokens(raw: msgspec.Raw) -> Usage:
    usage = _believed(raw, ResponsesUsage)
    return (from_responses(usage) or {}) if usage is not None else {}


def sound(body: bytes) -> Usage:
    """Of what was heard or spoken. `duration` is that of a verbose transcription, where no usage is told."""
    told = _spoken.decode(body)
    usage = _believed(told.usage, _Heard)
    if usage is not None and usage.seconds is not None:
        return {"seconds": math.ceil(usage.seconds)}
    if usage is not None:
        tokens = ResponsesUsage(usage.input_tokens, usage.output_tokens, usage.input_token_details)
        if found := from_responses(tokens):
            return found
    verbose = _believed(msgspec.Raw(body), _Verbose)
    return {"seconds": math.ceil(verbose.duration)} if verbose is not None and verbose.duration is not None else {}


def ranking(body: bytes) -> Usage:
    told = _ranked.decode(body)
    if memoryview(told.meta) and (found := from_cohere(msgspec.json.decode(told.meta))):
        return found
    searches = _believed(told.usage, _Searches) or _Searches()
    tokens = _believed(told.usage, ChatUsage)
    found = (from_chat(tokens) or {}) if tokens is not None else {}
    if searches.total_tokens is not None:
        found = {"input": searches.total_tokens, "cached_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": 0, "reasoning": 0}
    if searches.search_units:
        found["requests"] = searches.search_units
    return found


def judgement(body: bytes) -> Usage:
    """OpenAI tells nothing of a moderation, others their tokens."""
    tokens = _believed(_spoken.decode(body).usage, ChatUsage)
    return (from_chat(tokens) or {}) if tokens is not None else {}


_MARK = re.compile(rb"-->\s*(?:([0-9]{1,4}):)?([0-9]{2}):([0-9]{2})[,.]([0-9]{3})")


def last_mark(body: bytes) -> int:
    """The second at which the last subtitle ends, 0 where there is none: a recording is no shorter."""
    marks = _MARK.findall(body)
    if not marks:
        return 0
    hours, minutes, seconds, rest = (int(part or 0) for part in marks[-1])
    return hours * 3600 + minutes * 60 + seconds + bool(rest)
