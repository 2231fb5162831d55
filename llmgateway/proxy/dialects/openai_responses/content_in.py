"""Content of messages and of tool results, read into parts."""

from __future__ import annotations

import re

from llmgateway.proxy.conversation.parts import AnyPart, Audio, Cache, File, Image, Json, Refused, Special, Text
from llmgateway.proxy.dialects.openai_responses.citations import citation
from llmgateway.proxy.dialects.openai_responses.members import Found, Members, WrongType
from llmgateway.proxy.dialects.openai_responses.names import NAME

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?;base64,(.*)", re.DOTALL)
SOUNDS = {"mp3": "audio/mpeg", "wav": "audio/wav"}
LONG_CACHE = "12h"
"""The lifetime of a cache breakpoint that is the longer one; the shorter (30m) is what is meant when none is said."""


def content_parts(value: Json, path: str, found: Found) -> list[AnyPart]:
    """A string is one text."""
    if value is None:
        return []
    if isinstance(value, str):
        return [Text(text=value, at=path)]
    if not isinstance(value, list):
        raise WrongType(path, "a string or an array")
    return [content_part(item, f"{path}[{place}]", found) for place, item in enumerate(value)]


def content_part(value: Json, path: str, found: Found) -> AnyPart:
    members = Members(value, path)
    kind = members.needed("type")
    reader = _READERS.get(kind)
    if reader is None:
        return Special(vendor=NAME, kind=kind, raw=value, at=path)
    part = reader(members, found)
    part.at = path
    part.cache = _cache(members, found)
    members.rest(found)
    return part


def _cache(members: Members, found: Found) -> Cache | None:
    mark = members.inner("prompt_cache_breakpoint")
    if mark is None:
        return None
    mark.skip("mode", "explicit")
    cache = Cache("1h" if mark.text("ttl") == LONG_CACHE else "5m")
    mark.rest(found)
    return cache


def _text(members: Members, found: Found) -> AnyPart:
    annotations = members.array("annotations")
    members.skip("logprobs", [])
    members.hint(found, "logprobs")
    cited = [citation(value, f"{members.at('annotations')}[{place}]") for place, value in enumerate(annotations)]
    return Text(text=members.needed("text"), citations=cited)


def _refusal(members: Members, found: Found) -> AnyPart:
    return Refused(text=members.needed("refusal"))


def _image(members: Members, found: Found) -> AnyPart:
    url, file_id = members.text("image_url"), members.text("file_id")
    image = Image(url=url, detail=members.text("detail"))
    if url and file_id:
        found.extra[members.at("file_id")] = file_id
    elif file_id:
        image.file_id = file_id
    elif not url:
        raise WrongType(members.at("image_url"), "a URL, or file_id be given")
    image.url, image.media_type, image.data = split_data(url)
    return image


def _file(members: Members, found: Found) -> AnyPart:
    """The first that is given of data, URL and id; the others have no slot."""
    file = File(title=members.text("filename"))
    given = [(name, members.text(name)) for name in ("file_data", "file_url", "file_id")]
    said = [(name, value) for name, value in given if value]
    members.hint(found, "detail")
    if not said:
        raise WrongType(members.path, "a file with file_data, file_url or file_id")
    (name, value), *others = said
    found.extra.update({members.at(other): held for other, held in others})
    if name == "file_data":
        url, file.media_type, data = split_data(value)
        file.data = data or url
    elif name == "file_url":
        file.url, file.media_type, file.data = split_data(value)
    else:
        file.file_id = value
    return file


def _sound(members: Members, found: Found) -> AnyPart:
    inner = members.inner("input_audio")
    if inner is None:
        raise WrongType(members.at("input_audio"), "an object")
    form = inner.needed("format")
    sound = Audio(data=inner.needed("data"), media_type=SOUNDS.get(form, f"audio/{form}"))
    inner.rest(found)
    return sound


_READERS = {
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _sound,
}


def split_data(url: str) -> tuple[str, str, str]:
    """URL, media type and base64 data: of a data URL the latter two, of another only itself."""
    match = _DATA_URL.fullmatch(url)
    return ("", match[1], match[2]) if match else (url, "", "")
