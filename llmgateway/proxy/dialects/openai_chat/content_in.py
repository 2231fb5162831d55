"""The pieces of a message's `content`, with the shapes that vendors of this dialect have added to OpenAI's.

    image_url     an object, or Mistral's bare string; data: URLs become data
    file          OpenAI's object, Mistral's bare file_id
    document_url  Mistral
    video_url     OpenRouter, vLLM: a File whose media type is a video's
    thinking      Mistral's reasoning, an array of texts

Cache marks are OpenRouter's and LiteLLM's `cache_control`, and OpenAI's `prompt_cache_breakpoint`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from llmgateway.proxy.conversation.parts import AnyPart, Audio, Cache, File, Image, Json, Reasoning, Refused, Special, Text
from llmgateway.proxy.dialects.members import Members, Wrong
from llmgateway.proxy.dialects.openai_chat.media import sound_media, split_data_url, video_media
from llmgateway.proxy.dialects.openai_chat.names import CHAT

HINTS = frozenset(
    {
        "prompt_cache_breakpoint",
        "ttl",
        "eager_input_streaming",
        "annotations",
        "executed_tools",
        "thought_signature",
        "provider_specific_fields",
        "thinking_blocks",
        "parsed",
        "parsed_arguments",
    }
)
"""Members of nested objects that change nothing of what is asked: how a cache or a stream is kept, and what an SDK sends
back of an answer because it came with it."""


class Rest(NamedTuple):
    """Where members without a slot go, by their path in the body."""

    extra: dict[str, Json]
    hints: dict[str, Json]


def keep(members: Members, rest: Rest) -> None:
    """What nobody took of this object."""
    for path, value in members.left().items():
        if value is not None:
            (rest.hints if path.rpartition(".")[2] in HINTS else rest.extra)[path] = value


def content(owner: Members, name: str, rest: Rest) -> list[AnyPart]:
    """The member `name` of a message: a string, an array of pieces, or nothing. An empty string says nothing."""
    value = owner.take(name)
    at = owner.path(name)
    if value is None or value == "":
        return []
    if type(value) is str:
        return [Text(text=value, at=at)]
    if type(value) is not list:
        raise owner.wrong(at, "a string or an array")
    return [piece(item, f"{at}[{place}]", owner.wrong, rest) for place, item in enumerate(value)]


def piece(value: Json, at: str, wrong: Wrong, rest: Rest) -> AnyPart:
    members = Members(value, at, wrong)
    kind = members.needed_text("type")
    read = _READERS.get(kind)
    if read is None:
        return Special(vendor=CHAT, kind=kind, raw=value, at=at)
    cache = mark(members, rest)
    part = read(members, rest)
    part.cache, part.at = cache, at
    keep(members, rest)
    return part


def mark(members: Members, rest: Rest) -> Cache | None:
    for name in ("prompt_cache_breakpoint", "cache_control"):
        inner = members.inner(name)
        if inner is not None:
            ttl = inner.text("ttl") if name == "cache_control" else ""
            inner.text("type" if name == "cache_control" else "mode")
            keep(inner, rest)
            return Cache(ttl or "5m")
    return None


def _text(members: Members, rest: Rest) -> AnyPart:
    return Text(text=members.needed_text("text"))


def _refusal(members: Members, rest: Rest) -> AnyPart:
    return Refused(text=members.needed_text("refusal"))


def _image(members: Members, rest: Rest) -> AnyPart:
    detail = ""
    if isinstance(value := members.take("image_url"), str):
        url = value
    else:
        inner = Members(value, members.path("image_url"), members.wrong)
        url, detail = inner.needed_text("url"), inner.text("detail")
        keep(inner, rest)
    held = split_data_url(url)
    return Image(url=url, detail=detail) if held is None else Image(media_type=held[0], data=held[1], detail=detail)


def _audio(members: Members, rest: Rest) -> AnyPart:
    inner = members.needed("input_audio")
    part = Audio(data=inner.needed_text("data"), media_type=sound_media(inner.text("format")))
    keep(inner, rest)
    return part


def _file(members: Members, rest: Rest) -> AnyPart:
    if "file_id" in members:
        return File(file_id=members.text("file_id"))
    inner = members.needed("file")
    part = _addressed(inner.text("file_data"), "")
    part.file_id, part.title = inner.text("file_id"), inner.text("filename")
    keep(inner, rest)
    return part


def _addressed(value: str, media_type: str) -> File:
    """A file by a data: URL, an address (OpenRouter), or base64 alone."""
    held = split_data_url(value)
    if held is not None:
        return File(media_type=held[0], data=held[1])
    if "://" in value[:16]:
        return File(url=value, media_type=media_type)
    return File(data=value)


def _document(members: Members, rest: Rest) -> AnyPart:
    part = _addressed(members.needed_text("document_url"), "")
    part.title = members.text("document_name")
    return part


def _video(members: Members, rest: Rest) -> AnyPart:
    value = members.take("video_url")
    if isinstance(value, str):
        url = value
    else:
        inner = Members(value, members.path("video_url"), members.wrong)
        url = inner.needed_text("url")
        keep(inner, rest)
    return _addressed(url, video_media(url))


def _thinking(members: Members, rest: Rest) -> AnyPart:
    members.flag("closed")
    value = members.take("thinking")
    if isinstance(value, str):
        return Reasoning(text=value)
    if type(value) is not list:
        raise members.wrong(members.path("thinking"), "an array")
    texts = [Members(item, f"{members.path('thinking')}[{place}]", members.wrong) for place, item in enumerate(value)]
    said = "".join(item.text("text") for item in texts)
    for item in texts:
        item.text("type")
        keep(item, rest)
    return Reasoning(text=said)


_READERS: dict[str, Callable[[Members, Rest], AnyPart]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
    "document_url": _document,
    "video_url": _video,
    "thinking": _thinking,
}
