"""Content blocks, of requests and of answers, to parts.

A block whose type or source has no part of its own is a `Special` as it came. Unknown members of known blocks go to the
rest, by path.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Cache,
    File,
    Image,
    Json,
    Reasoning,
    Signature,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.dialects.anthropic_messages import citations, sealed
from llmgateway.proxy.dialects.anthropic_messages.names import ANTHROPIC
from llmgateway.proxy.dialects.anthropic_messages.reading import Fail, Members, Rest

INVALID = "INVALID_JSON"
"""The member under which Anthropic documents that a model's broken arguments are given back."""

_PICTURE = re.compile(r"!\[image\]\(data:(image/[\w.+-]+);base64,([A-Za-z0-9+/=]+)\)")
"""How an image that a model made is told in an answer (`told_picture`), which has no block for it."""


class Place(NamedTuple):
    """What reading a block needs beside the block. `names` are tools by the id of the call, as far as seen."""

    fail: Fail
    rest: Rest
    names: dict[str, str]


def content(value: Json, path: str, place: Place, *, said: bool = False) -> list[AnyPart]:
    """`said`: by a model. Raises what `place.fail` makes."""
    if isinstance(value, str):
        return [picture(Text(text=value, at=path)) if said else Text(text=value, at=path)] if value else []
    if not isinstance(value, list):
        raise place.fail(path, "a string or an array of content blocks")
    found = sealed.Attaching()
    for number, raw in enumerate(value):
        at = f"{path}[{number}]"
        carried = sealed.carried(raw)
        if carried is not None:
            found.carry(carried, at)
            continue
        part = block(raw, at, place)
        found.add(picture(part) if said and isinstance(part, Text) else part)
    return found.parts


def texts(value: Json, path: str, place: Place) -> list[Text]:
    """Instructions: a string or text blocks and nothing else."""
    parts = content(value, path, place)
    found = [part for part in parts if isinstance(part, Text)]
    if len(found) != len(parts):
        raise place.fail(path, "a string or an array of text blocks")
    return found


def block(raw: Json, at: str, place: Place) -> AnyPart:
    given = Members(raw, at, place.fail)
    kind = given.needed("type")
    read = _READERS.get(kind)
    part = read(given, place) if read is not None else None
    if part is None:
        return Special(vendor=ANTHROPIC, kind=kind, raw=raw, at=at)
    cache = cache_of(given, place.rest)
    if cache is not None:
        part.cache = cache
    part.at = at
    given.leave(place.rest.extra)
    return part


def cache_of(given: Members, rest: Rest) -> Cache | None:
    """A marker's members that nobody knows change what is cached where, never what is said: they are hints."""
    marker = given.members("cache_control")
    if marker is None:
        return None
    marker.text("type")
    ttl = marker.text("ttl") or "5m"
    marker.leave(rest.hints)
    return Cache(ttl)


def picture(text: Text) -> Text | Image:
    found = _PICTURE.fullmatch(text.text)
    if found is None:
        return text
    return Image(media_type=found[1], data=found[2], cache=text.cache, signature=text.signature, at=text.at)


def told_picture(image: Image) -> str:
    return f"![image](data:{image.media_type};base64,{image.data})" if image.data else f"![image]({image.url})"


def _text(given: Members, place: Place) -> AnyPart:
    raws = given.items("citations")
    path = given.at("citations")
    cited = [citations.read(raw, f"{path}[{number}]", place.fail) for number, raw in enumerate(raws)]
    return Text(text=given.needed("text"), citations=cited)


def _image(given: Members, place: Place) -> AnyPart | None:
    source = given.members("source")
    if source is None:
        raise place.fail(given.at("source"), "an object")
    kind = source.text("type")
    if kind == "base64":
        part = Image(data=source.needed("data"), media_type=source.needed("media_type"))
    elif kind == "url":
        part = Image(url=source.needed("url"))
    elif kind == "file":
        part = Image(file_id=source.needed("file_id"))
    else:
        return None
    source.leave(place.rest.extra)
    return part


def _document(given: Members, place: Place) -> AnyPart | None:
    source = given.members("source")
    if source is None:
        raise place.fail(given.at("source"), "an object")
    kind = source.text("type")
    if kind not in ("base64", "text", "url", "file"):
        return None
    part = File(title=given.text("title"), context=given.text("context"))
    part.media_type = source.text("media_type")
    if kind == "base64":
        part.data = source.needed("data")
    elif kind == "text":
        part.text = source.needed("data")
    elif kind == "url":
        part.url = source.needed("url")
    else:
        part.file_id = source.needed("file_id")
    source.leave(place.rest.extra)
    cited = given.members("citations")
    if cited is not None:
        part.citations = bool(cited.flag("enabled"))
        cited.leave(place.rest.extra)
    return part


def _tool_use(given: Members, place: Place) -> AnyPart:
    call_id, name = given.needed("id"), given.needed("name")
    place.names[call_id] = name
    caller = given.object("caller")
    if caller is not None:
        away = place.rest.hints if caller.get("type") == "direct" else place.rest.extra
        away[given.at("caller")] = caller
    return ToolCall(id=call_id, name=name, arguments=_arguments(given.object("input") or {}, given.at("input"), place))


def _arguments(value: dict[str, Json], path: str, place: Place) -> str:
    """The JSON text of a call's input; of one that was never JSON, the text as the model wrote it."""
    if len(value) == 1 and isinstance(wrong := value.get(INVALID), str):
        return wrong
    try:
        return msgspec.json.encode(value).decode()
    except RecursionError as error:
        raise place.fail(path, "an object that is less deep") from error


def _tool_result(given: Members, place: Place) -> AnyPart | None:
    """None when something in it has no part (a search result, a reference to a tool): then it stays whole as it came."""
    call_id, value = given.needed("tool_use_id"), given.take("content")
    inner = place._replace(rest=Rest({}, {}))
    parts = content([] if value is None else value, given.at("content"), inner)
    inside = [part for part in parts if isinstance(part, Text | Image | File)]
    if len(inside) != len(parts):
        return None
    place.rest.extra.update(inner.rest.extra)
    place.rest.hints.update(inner.rest.hints)
    failed = bool(given.flag("is_error"))
    return ToolResult(call_id=call_id, name=place.names.get(call_id, ""), content=inside, is_error=failed)


def _thinking(given: Members, place: Place) -> AnyPart:
    return Reasoning(text=given.text("thinking"), signature=sealed.signature_of(given.text("signature")))


def _redacted(given: Members, place: Place) -> AnyPart:
    found = sealed.read(given.needed("data"))
    signature = found.signature if found is not None else Signature(ANTHROPIC, "")
    return Reasoning(redacted=True, signature=signature)


_READERS: dict[str, Callable[[Members, Place], AnyPart | None]] = {
    "text": _text,
    "image": _image,
    "document": _document,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
}
