"""Most chunks of a stream hold a piece of text, a count, and nothing else: those are read in one step, all others by name.

What is not plain is none of this module's business, broken JSON included: `read` gives None and the careful way decides.
"""

from __future__ import annotations

import msgspec

from llmgateway.proxy.dialects.gemini.usage import GeminiUsage


class PlainPart(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    thought: bool = False


class _Content(msgspec.Struct, forbid_unknown_fields=True):
    parts: list[PlainPart] = []
    role: str = ""


class PlainCandidate(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    content: _Content
    index: int | None = None
    finish_reason: str = ""


class PlainChunk(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    candidates: list[PlainCandidate]
    usage_metadata: GeminiUsage | None = None
    model_version: str = ""
    response_id: str = ""
    create_time: str = ""


_decoder = msgspec.json.Decoder(PlainChunk)


def read(data: bytes) -> PlainChunk | None:
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
