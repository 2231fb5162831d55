"""One part of a content, of a request or of an answer.

A part has one piece of data, and beside it `thought`, `thoughtSignature` and settings of its own. What has no slot goes
where the caller of these functions keeps such things.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import AnyPart, Audio, File, Image, Json, Reasoning, Special, Text, ToolCall, ToolResult
from llmgateway.proxy.dialects.gemini import media, results, signatures
from llmgateway.proxy.dialects.gemini.names import VENDOR
from llmgateway.proxy.dialects.gemini.reading import Members, camel, wrong

_FUNCTIONS = ("functionCall", "functionResponse")
_MEDIA = ("inlineData", "fileData")
_OWN = ("executableCode", "codeExecutionResult", "toolCall", "toolResponse")
_BESIDE = frozenset({"videoMetadata", "mediaResolution", "partMetadata", "mediaProcessing"})


class Found:
    """A part, and of which kind of seal its signature came: see `conversation.seals`."""

    __slots__ = ("part", "sealed")

    def __init__(self, part: AnyPart, sealed: str) -> None:
        self.part = part
        self.sealed = sealed


def read_part(members: Members, *, made: str, rest: dict[str, Json]) -> Found:
    """`made` is the id of a function call that has none. A function response without one gets call_id "". Raises BadRequest."""
    signature, sealed = signatures.read(members.text("thoughtSignature"))
    thought = bool(members.flag("thought"))
    part = _read_data(members, thought=thought, made=made, rest=rest)
    if sealed == "redacted" and isinstance(part, Text | Reasoning) and not part.text:
        part = Reasoning(redacted=True, at=members.path)
    part.signature = signature
    if thought and not isinstance(part, Reasoning | Special):
        rest[members.where("thought")] = True
    members.leave(rest)
    return Found(part, sealed)


def _read_data(members: Members, *, thought: bool, made: str, rest: dict[str, Json]) -> AnyPart:
    at = members.path
    text = members.text("text")
    if text is not None:
        return Reasoning(text=text, at=at) if thought else Text(text=text, at=at)
    for name in _FUNCTIONS:
        inner = members.inner(name)
        if inner is not None:
            part = _read_call(inner, at, made) if name == "functionCall" else _read_response(inner, at, rest)
            inner.leave(rest)
            return part
    if not thought:
        for name in _MEDIA:
            inner = members.inner(name)
            if inner is not None:
                medium = _read_medium(name, inner, at)
                inner.leave(rest)
                return medium
    return _read_own(members, thought=thought)


def _read_medium(name: str, inner: Members, at: str) -> Image | Audio | File:
    return media.read_inline(inner, at) if name == "inlineData" else media.read_file(inner, at)


def _read_own(members: Members, *, thought: bool) -> AnyPart:
    """A kind of part that is Gemini's own, whether known or not yet; without data, an empty text."""
    left = members.left
    kind = next((name for name in _OWN if members.has(name)), "") or next((camel(name) for name in left if camel(name) not in _BESIDE), "")
    if not kind:
        return Reasoning(at=members.path) if thought else Text(text="", at=members.path)
    raw = {name: left.pop(name) for name in list(left) if camel(name) not in _BESIDE}
    if thought:
        raw["thought"] = True
    return Special(vendor=VENDOR, kind=kind, raw=raw, at=members.path)


def _read_call(call: Members, at: str, made: str) -> ToolCall:
    name = call.text("name")
    if not name:
        raise wrong(call.where("name"), "a function's name")
    arguments = call.mapping("args")
    return ToolCall(id=call.text("id") or made, name=name, arguments=results.compact(arguments or {}), at=at)


def _read_response(response: Members, at: str, rest: dict[str, Json]) -> ToolResult:
    name, call_id = response.text("name") or "", response.text("id") or ""
    texts, failed = results.read(response.mapping("response") or {})
    content: list[Text | Image | File] = [Text(text=text, at=at) for text in texts]
    content += [_read_attached(part, rest) for part in response.many("parts")]
    return ToolResult(call_id=call_id, name=name, content=content, is_error=failed, at=at)


def _read_attached(part: Members, rest: dict[str, Json]) -> Text | Image | File:
    """A medium that a function gave back. Sound has no slot of its own there: it is a file."""
    for name in _MEDIA:
        inner = part.inner(name)
        if inner is not None:
            medium = _read_medium(name, inner, part.path)
            inner.leave(rest)
            part.leave(rest)
            if isinstance(medium, Audio):
                return File(data=medium.data, url=medium.url, media_type=medium.media_type, at=medium.at)
            return medium
    text = part.text("text")
    part.leave(rest)
    return Text(text=text or "", at=part.path)
