"""Content blocks of Converse, read into parts: the same in requests, in whole answers and, put together, in streams.

A block is a union: one member says what it is. What Bedrock alone has (guarded content, search results, tools that it runs
itself) is kept whole, as a `Special`.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from llmgateway.proxy.conversation.parts import AnyPart, Cache, File, Image, Json, Reasoning, Signature, Special, Text, ToolCall, ToolResult
from llmgateway.proxy.conversation.seals import Sealed, unwrap
from llmgateway.proxy.dialects.bedrock.citations import read_citation
from llmgateway.proxy.dialects.bedrock.media import VENDOR, read_media
from llmgateway.proxy.dialects.members import Members, Wrong

MEDIA = frozenset({"image", "document", "video", "audio"})
READ = MEDIA | {"text", "toolUse", "toolResult", "reasoningContent", "cachePoint", "citationsContent"}

compact = msgspec.json.Encoder()


class Blocks:
    """Reads the blocks of one message in order. `left` gathers what has no reader, by path; `parts` is what was read. A
    cache point belongs to the part before it, a wrapped signature to the part that follows."""

    __slots__ = ("_pending", "left", "parts", "wrong")

    def __init__(self, wrong: Wrong) -> None:
        self.wrong = wrong
        self.parts: list[AnyPart] = []
        self.left: dict[str, Json] = {}
        self._pending: Signature | None = None

    def read(self, raw: Json, at: str) -> None:
        block = Members(raw, at, self.wrong)
        kinds = [name for name in block.names if name in READ]
        if len(kinds) > 1:
            raise self.wrong(at, "an object with one of the members of a content block")
        if kinds == ["cachePoint"]:
            mark_cache(block, self.parts[-1] if self.parts else None, self.left)
            return
        part = self._part(kinds[0], block, raw) if kinds else Special(vendor=VENDOR, kind=next(iter(block.names), ""), raw=raw)
        if part is None:
            return
        part.at = at
        if self._pending is not None:
            part.signature, self._pending = self._pending, None
        self.parts.append(part)
        if not isinstance(part, Special):
            self.left |= block.left()

    def _part(self, kind: str, block: Members, raw: Json) -> AnyPart | None:
        if kind == "text":
            return Text(text=block.text("text"))
        inner = block.needed(kind)
        if kind in MEDIA:
            return self._kept(read_media(kind, inner, raw), inner)
        if kind == "toolUse":
            return self._tool_use(inner, raw)
        if kind == "toolResult":
            return self._tool_result(inner, raw)
        if kind == "reasoningContent":
            return self._reasoning(inner)
        return self._kept(_cited(inner), inner)

    def _kept(self, part: AnyPart, inner: Members) -> AnyPart:
        if not isinstance(part, Special):
            self.left |= inner.left()
        return part

    def _tool_use(self, inner: Members, raw: Json) -> AnyPart:
        if "type" in inner:
            return Special(vendor=VENDOR, kind="toolUse", raw=raw)
        value = inner.take("input")
        arguments = compact.encode(value).decode() if value is not None else ""
        return self._kept(ToolCall(id=inner.needed_text("toolUseId"), name=inner.needed_text("name"), arguments=arguments), inner)

    def _tool_result(self, inner: Members, raw: Json) -> AnyPart:
        content = inner.each("content")
        if "type" in inner or any("searchResult" in item or "video" in item for item in content):
            return Special(vendor=VENDOR, kind="toolResult", raw=raw)
        result = ToolResult(call_id=inner.needed_text("toolUseId"), is_error=inner.text("status") == "error")
        for item in content:
            told = self._result_item(item)
            if told is not None:
                told.at = item.at
                result.content.append(told)
        return self._kept(result, inner)

    def _result_item(self, item: Members) -> Text | Image | File | None:
        if "json" in item:
            found: Text | Image | File | None = Text(text=compact.encode(item.take("json")).decode())
        elif "text" in item:
            found = Text(text=item.text("text"))
        else:
            found = self._result_media(item)
        self.left |= item.left()
        return found

    def _result_media(self, item: Members) -> Image | File | None:
        for kind in ("image", "document"):
            if kind in item:
                whole = item.take(kind)
                inner = Members(whole, item.path(kind), self.wrong)
                part = read_media(kind, inner, {kind: whole})
                if isinstance(part, Image | File):
                    self.left |= inner.left()
                    return part
                self.left[item.path(kind)] = whole
        return None

    def _reasoning(self, inner: Members) -> AnyPart | None:
        if "redactedContent" in inner:
            hidden = inner.text("redactedContent")
            self.left |= inner.left()
            return self._redacted(hidden)
        told = inner.needed("reasoningText")
        part = Reasoning(text=told.text("text"), signature=signature_of(told.text("signature")))
        self.left |= told.left() | inner.left()
        return part

    def _redacted(self, hidden: str) -> AnyPart | None:
        sealed = opened(hidden)
        if sealed is None:
            return Reasoning(redacted=True, signature=Signature(VENDOR, hidden))
        if sealed.kind == "part":
            self._pending = sealed.signature
            return None
        return Reasoning(redacted=True, signature=sealed.signature)


def signature_of(text: str) -> Signature | None:
    """Bedrock's own, or the one that was wrapped; None where there is none."""
    if not text:
        return None
    sealed = unwrap(text)
    return Signature(VENDOR, text) if sealed is None else sealed.signature


def opened(hidden: str) -> Sealed | None:
    """What another vendor's value is wrapped in, if this is one: redacted content is base64 in Bedrock's JSON."""
    try:
        return unwrap(base64.b64decode(hidden, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def mark_cache(block: Members, before: AnyPart | None, left: dict[str, Json]) -> None:
    """A cache point is a block of its own behind the part that it marks."""
    whole = block.take("cachePoint")
    point = Members(whole, block.path("cachePoint"), block.wrong)
    ttl = point.text("ttl") or "5m"
    if before is None or before.cache is not None or point.text("type") not in ("", "default"):
        left[point.at] = whole
        return
    before.cache = Cache(ttl)
    left |= point.left() | block.left()


def _cited(inner: Members) -> Text:
    text = "".join(piece.text("text") for piece in inner.each("content"))
    told = [dict(item) if isinstance(item, dict) else item for item in inner.array("citations")]
    path = inner.path("citations")
    return Text(text=text, citations=[read_citation(Members(raw, f"{path}[{n}]", inner.wrong), raw) for n, raw in enumerate(told)])
