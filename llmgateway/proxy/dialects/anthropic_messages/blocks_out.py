"""Parts to content blocks of a request. What Anthropic does not take goes to the losses, and None comes back."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable
from typing import Any

import msgspec

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Cache,
    File,
    Image,
    Json,
    Reasoning,
    Refused,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.dialects.anthropic_messages import citations
from llmgateway.proxy.dialects.anthropic_messages.blocks_in import told_picture
from llmgateway.proxy.dialects.anthropic_messages.names import ANTHROPIC
from llmgateway.proxy.dialects.anthropic_messages.own import Own

Block = dict[str, Json]

IMAGE_TYPES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
_MAGIC = (("iVBORw0KGgo", "image/png"), ("/9j/", "image/jpeg"), ("R0lGOD", "image/gif"), ("UklGR", "image/webp"))
"""How the base64 of each begins, for images that come without a type."""

_ID, _NOT_IN_IDS = re.compile(r"[a-zA-Z0-9_-]+"), re.compile(r"[^a-zA-Z0-9_-]")
_PLAIN = frozenset(("application/json", "application/xml", "application/yaml", "application/x-yaml"))
FOREIGN_FILE = "an id of a file belongs to the vendor that keeps the file"
NOT_ON_THE_WEB = "its address is no http(s) URL"
WEB = ("https://", "http://")


def marker(cache: Cache) -> Block:
    return {"type": "ephemeral"} if cache.ttl == "5m" else {"type": "ephemeral", "ttl": cache.ttl}


def input_of(arguments: str) -> dict[str, Json] | None:
    """The object that a call's arguments are; None when they are none."""
    if not arguments.strip():
        return {}
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def call_id(given: str) -> str:
    """An id that Anthropic takes. One of another vendor with other characters (Kimi's `functions.f:0`) is always spelled in
    the same way, so that a call and its result find each other."""
    if _ID.fullmatch(given):
        return given
    return f"{_NOT_IN_IDS.sub('_', given)}_{zlib.crc32(given.encode()):08x}"


def text_block(part: Text, losses: Losses) -> Block | None:
    """Anthropic refuses empty texts, and they say nothing."""
    if not part.text:
        return None
    block: Block = {"type": "text", "text": part.text}
    told = [citations.write(citation) for citation in part.citations if citations.replayable(citation)]
    if told:
        block["citations"] = told
    if len(told) < len(part.citations):
        losses.hint(f"{part.at}.citations")
    return block


class Blocks:
    """Writes the blocks of one request. `lacks` are the target's."""

    def __init__(self, own: Own, losses: Losses, lacks: frozenset[str]) -> None:
        self._own = own
        self._losses = losses
        self._lacks = lacks

    def write(self, part: AnyPart, *, said: bool = False) -> Block | None:
        """`said`: in a message of the assistant, where Anthropic takes no images and documents. An image that a model made
        was told to this dialect's caller as a text, and is one again."""
        if said and self._own.is_own and isinstance(part, Image):
            part = Text(text=told_picture(part), cache=part.cache, at=part.at)
        if said and isinstance(part, Image | File):
            return self._drop(part, "messages of the assistant hold text and tool calls")
        writer: Callable[[Blocks, Any], Block | None] | None = self._writers.get(type(part))
        block = writer(self, part) if writer is not None else self._drop(part, f"there is no {_name(part)} in it")
        if block is None:
            return None
        if part.cache is not None:
            block["cache_control"] = marker(part.cache)
        if part.signature is not None and not isinstance(part, Reasoning):
            self._losses.hint(f"{part.at}.signature")
        self._own.into(block, part.at)
        return block

    def _drop(self, part: AnyPart, why: str) -> Block | None:
        self._losses.drop(part.at, why)
        return None

    def _text(self, part: Text) -> Block | None:
        return text_block(part, self._losses)

    def _refused(self, part: Refused) -> Block | None:
        return {"type": "text", "text": part.text} if part.text else None

    def _image(self, part: Image) -> Block | None:
        if "image" in self._lacks:
            return self._drop(part, "it takes no images")
        if part.detail in ("low", "high"):
            self._losses.hint(f"{part.at}.detail")
        if part.file_id:
            return self._kept("image", part)
        if part.url:
            if "image_url" in self._lacks:
                return self._drop(part, "it takes no addresses of images")
            if not self._reached(part):
                return self._drop(part, NOT_ON_THE_WEB)
            return {"type": "image", "source": {"type": "url", "url": part.url}}
        kind = part.media_type or next((kind for start, kind in _MAGIC if part.data.startswith(start)), "")
        if kind not in IMAGE_TYPES:
            return self._drop(part, "it takes images of the types JPEG, PNG, GIF and WebP")
        return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": part.data}}

    def _reached(self, part: Image | File) -> bool:
        """Other addresses (gs://, s3://) are of stores that one vendor reads."""
        return self._own.is_own or part.url.startswith(WEB)

    def _kept(self, kind: str, part: Image | File) -> Block | None:
        if not self._own.is_own:
            return self._drop(part, FOREIGN_FILE)
        return {"type": kind, "source": {"type": "file", "file_id": part.file_id}}

    def _file(self, part: File) -> Block | None:
        if "file" in self._lacks:
            return self._drop(part, "it takes no documents")
        if part.data and part.media_type in IMAGE_TYPES:
            return {"type": "image", "source": {"type": "base64", "media_type": part.media_type, "data": part.data}}
        block = self._document(part)
        if block is None:
            return None
        if part.title:
            block["title"] = part.title
        if part.context:
            block["context"] = part.context
        if part.citations:
            block["citations"] = {"enabled": True}
        return block

    def _document(self, part: File) -> Block | None:
        if part.file_id:
            return self._kept("document", part)
        if part.url:
            if not self._reached(part):
                return self._drop(part, NOT_ON_THE_WEB)
            if part.media_type not in ("application/pdf", "") and not self._own.is_own:
                return self._drop(part, "it fetches documents as PDF alone")
            return {"type": "document", "source": {"type": "url", "url": part.url}}
        if part.data and part.media_type in ("application/pdf", ""):
            return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": part.data}}
        text = part.text or _plain(part)
        if not text:
            return self._drop(part, "it takes documents as PDF and as plain text")
        return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}

    def _call(self, part: ToolCall) -> Block | None:
        if part.custom:
            return self._drop(part, "its tools take a JSON object and no free text")
        value = input_of(part.arguments)
        if value is None:
            return self._drop(part, "its arguments are no JSON object")
        return {"type": "tool_use", "id": call_id(part.id), "name": part.name, "input": value}

    def _result(self, part: ToolResult) -> Block | None:
        block: Block = {"type": "tool_result", "tool_use_id": call_id(part.call_id)}
        inside = [told for piece in part.content if (told := self.write(piece)) is not None]
        if inside:
            block["content"] = inside
        if part.is_error:
            block["is_error"] = True
        return block

    def _reasoning(self, part: Reasoning) -> Block | None:
        if part.signature is None or part.signature.vendor != ANTHROPIC:
            self._losses.hint(part.at)
            return None
        if part.redacted:
            return {"type": "redacted_thinking", "data": part.signature.value}
        return {"type": "thinking", "thinking": part.text, "signature": part.signature.value}

    def _special(self, part: Special) -> Block | None:
        if part.vendor != ANTHROPIC:
            return self._drop(part, f"{part.kind} is one of {part.vendor}'s own")
        return dict(part.raw)

    _writers: dict[type, Any] = {
        Text: _text,
        Refused: _refused,
        Image: _image,
        File: _file,
        ToolCall: _call,
        ToolResult: _result,
        Reasoning: _reasoning,
        Special: _special,
    }


def _name(part: AnyPart) -> str:
    return type(part).__name__.lower()


def _plain(part: File) -> str:
    """The text of a file that is one, "" of another."""
    if not (part.media_type.startswith("text/") or part.media_type in _PLAIN):
        return ""
    try:
        return base64.b64decode(part.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
