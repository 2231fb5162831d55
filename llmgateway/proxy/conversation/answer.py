"""What a model said. `usage` are the house's disjoint buckets (`dataplane.call.Usage`), {} when nothing was told."""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.parts import AnyPart, Json

END, LENGTH, SEQUENCE, TOOL, FILTER, PAUSE = "end", "length", "sequence", "tool", "filter", "pause"
"""Why a model stopped: it was done; the token limit; one of the caller's stop sequences; it wants tools called; a content
filter or a refusal; it wants to be asked to go on (Anthropic's pause_turn). A dialect that can't tell two of them apart
reads the commoner one: a stop sequence is `end` in OpenAI's."""

STOPS = (END, LENGTH, SEQUENCE, TOOL, FILTER, PAUSE)


class Candidate(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One of the answers asked for. `stop` is one of STOPS, "" while not known. `native_stop` is the vendor's own word
    where it says more. `logprobs` is OpenAI chat's object."""

    parts: list[AnyPart] = []
    stop: str = ""
    stop_sequence: str | None = None
    native_stop: str = ""
    logprobs: Json = None


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`created` is Unix time, 0 where the dialect does not say. `extra` is what has no slot, by its name in the vendor's
    answer; it is told to nobody else."""

    id: str = ""
    model: str = ""
    created: int = 0
    candidates: list[Candidate] = []
    usage: Usage = {}
    service_tier: str = ""
    extra: dict[str, Json] = {}


class Failure(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An upstream's error, whole or in-band. `kind` is one of invalid, authentication, permission, not_found, too_large,
    rate_limit, quota, context_length, content_filter, overloaded, timeout, server."""

    status: int
    kind: str
    message: str
    code: str = ""
    param: str | None = None
