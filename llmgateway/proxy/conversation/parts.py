"""What messages are made of. Everything opaque (signatures, encrypted reasoning) is kept as it came, in its place.

`at` is where a part stood in the caller's body (`messages[3].content[1]`), for refusals that name it; it says nothing about
the part itself and is left out of comparisons by `same`.
"""

from __future__ import annotations

from typing import Any

import msgspec

Json = Any
"""A decoded JSON value."""


class Cache(msgspec.Struct, omit_defaults=True):
    """A provider's prompt cache may end behind the part that carries this. `ttl` is "5m" or "1h" (Anthropic, Bedrock)."""

    ttl: str = "5m"


class Signature(msgspec.Struct, omit_defaults=True):
    """An opaque value that only its `vendor` can read and that must come back to it unchanged, in its place.

    `vendor` is the name of the dialect it came in: anthropic, gemini, openai-chat, openai-responses, bedrock, cohere."""

    vendor: str
    value: str


class Citation(msgspec.Struct, omit_defaults=True):
    """Where a text comes from. `kind` is url, document, file or search; offsets count characters of the text that cites
    (`start`, `end`) or of the source (`source_start`, `source_end`; pages or blocks where `unit` says so). `raw` is the
    vendor's own object, for the fields that are nobody else's."""

    kind: str
    url: str = ""
    title: str = ""
    quote: str = ""
    document: int | None = None
    document_id: str = ""
    unit: str = ""
    start: int | None = None
    end: int | None = None
    source_start: int | None = None
    source_end: int | None = None
    vendor: str = ""
    raw: Json = None


class Part(msgspec.Struct, kw_only=True, omit_defaults=True, tag_field="part"):
    """Base of all parts."""

    cache: Cache | None = None
    signature: Signature | None = None
    at: str = ""


class Text(Part, tag="text"):
    text: str
    citations: list[Citation] = []


class Image(Part, tag="image"):
    """One of `data` (base64), `url`, `file_id`. `detail` is low, high, auto or "" (not said)."""

    data: str = ""
    media_type: str = ""
    url: str = ""
    file_id: str = ""
    detail: str = ""


class Audio(Part, tag="audio"):
    """Sound in a message: `data` (base64) with `media_type`, or, said by a model, `audio_id` with `transcript`."""

    data: str = ""
    media_type: str = ""
    url: str = ""
    audio_id: str = ""
    transcript: str = ""
    expires_at: int | None = None


class File(Part, tag="file"):
    """A document or a video: one of `data` (base64), `url`, `file_id`, `text` (plain text given in place).

    `title` is a file's name where the dialect has one, `context` and `citations` are Anthropic's document options."""

    data: str = ""
    media_type: str = ""
    url: str = ""
    file_id: str = ""
    text: str = ""
    title: str = ""
    context: str = ""
    citations: bool = False


class ToolCall(Part, tag="tool_call"):
    """`arguments` is the JSON text of an object, as the model wrote it; of a `custom` tool it is free text."""

    id: str
    name: str
    arguments: str = ""
    custom: bool = False
    item_id: str = ""
    """The id that OpenAI Responses gives the item beside the call's own."""


class ToolResult(Part, tag="tool_result"):
    """What a tool answered to the call `call_id`: texts, images and files. `name` is known where the dialect has it or the
    call stands earlier in the conversation (Gemini needs it)."""

    call_id: str
    name: str = ""
    content: list[Text | Image | File] = []
    is_error: bool = False
    custom: bool = False


class Reasoning(Part, tag="reasoning"):
    """What a model thought. `text` may be read, `summary` are its titled pieces (OpenAI Responses), `redacted` says that
    only the encrypted form in `signature` exists. `id` is the item's id where the dialect has one."""

    text: str = ""
    summary: list[str] = []
    redacted: bool = False
    id: str = ""


class Refused(Part, tag="refusal"):
    """What a model said instead of an answer, where the dialect tells it apart from text."""

    text: str = ""


class Special(Part, tag="special"):
    """A part that is one vendor's own (server tools and their results, computer use, …): `kind` is its type in the dialect
    `vendor`, `raw` the object as it came. No other dialect expresses it."""

    vendor: str
    kind: str
    raw: Json


AnyPart = Text | Image | Audio | File | ToolCall | ToolResult | Reasoning | Refused | Special


def same(one: Any, other: Any) -> bool:
    """Whether two values made of these types say the same, wherever they stood in their bodies."""
    return bool(_bare(one) == _bare(other))


def _bare(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        fields = {name: _bare(getattr(value, name)) for name in value.__struct_fields__ if name not in ("at", "named", "names")}
        return (type(value).__name__, fields)
    if isinstance(value, list | tuple):
        return [_bare(item) for item in value]
    if isinstance(value, dict):
        return {key: _bare(item) for key, item in value.items()}
    return value
