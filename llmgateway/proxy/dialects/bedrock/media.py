"""Images, documents, videos and sounds: media types of the conversation and the formats that Bedrock has for them.

A source is bytes (base64 in JSON) or a place in S3. A place in S3 that names its bucket's owner, and a document given as a
list of texts, are Bedrock's own: they are kept whole, as a `Special`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Audio, File, Image, Json, Special
from llmgateway.proxy.dialects.members import Members

VENDOR = "bedrock"

IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
_OFFICE = "application/vnd.openxmlformats-officedocument"
DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
VIDEOS = {
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
SOUNDS = {
    "audio/mpeg": "mp3",
    "audio/opus": "opus",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/mp4": "mp4",
    "audio/ogg": "ogg",
    "audio/x-matroska": "mka",
    "audio/m4a": "m4a",
    "audio/pcm": "pcm",
    "audio/webm": "webm",
}
SAME = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/x-m4a": "audio/m4a",
}
"""Other spellings that are met."""

OTHER_FORMATS = {"mpg": "video/mpeg", "x-aac": "audio/aac", "mkv": "audio/x-matroska", "mpga": "audio/mpeg"}
"""Formats that say the same as another one; read, and written as the other."""

_FORBIDDEN = re.compile(r"[^A-Za-z0-9\s()\[\]-]")
_SPACES = re.compile(r"\s+")
LONGEST_NAME = 200
NAMELESS = "document"


def _type_of(format_: str, table: dict[str, str], kind: str) -> str:
    found = next((media for media, name in table.items() if name == format_), "")
    return found or OTHER_FORMATS.get(format_) or f"{kind}/{format_}"


def read_media(kind: str, block: Members, whole: Json) -> Image | Audio | File | Special:
    """An image, document, video or audio block; `whole` is the block as it came."""
    source = block.needed("source")
    if set(source.names) & {"s3Location", "content"}:
        place = source.inner("s3Location")
        if place is None or place.names != ["uri"] or kind != "image":
            return Special(vendor=VENDOR, kind=kind, raw=whole, at=block.at)
        return Image(url=place.text("uri"), media_type=_type_of(block.text("format"), IMAGES, kind), at=block.at)
    data, format_ = source.text("bytes"), block.text("format")
    match kind:
        case "image":
            return Image(data=data, media_type=_type_of(format_, IMAGES, kind), at=block.at)
        case "audio":
            return Audio(data=data, media_type=_type_of(format_, SOUNDS, kind), at=block.at)
        case "video":
            return File(data=data, media_type=_type_of(format_, VIDEOS, kind), at=block.at)
    return _document(block, source, data, format_)


def _document(block: Members, source: Members, data: str, format_: str) -> File:
    asked = block.inner("citations")
    return File(
        data=data,
        text=source.text("text"),
        media_type=_type_of(format_, DOCUMENTS, "application") if format_ else "",
        title=block.text("name"),
        context=block.text("context"),
        citations=asked is not None and asked.flag("enabled") is True,
        at=block.at,
    )


def document_name(title: str, taken: Iterable[str]) -> str:
    """A name as Bedrock takes it: letters, digits, single spaces, hyphens, parentheses and brackets, and no other document
    of the request has it."""
    name = _SPACES.sub(" ", _FORBIDDEN.sub(" ", title)).strip()[:LONGEST_NAME].strip() or NAMELESS
    used = set(taken)
    unique, number = name, 1
    while unique in used:
        number += 1
        unique = f"{name[: LONGEST_NAME - 6]} ({number})"
    return unique


def write_image(part: Image, losses: Losses) -> Json:
    """None where it can't be expressed."""
    place = part.url if part.url.startswith("s3://") else ""
    if part.file_id or (part.url and not place):
        losses.drop(part.at, "it fetches no images: send their bytes")
        return None
    media_type = part.media_type
    if place and not media_type:
        extension = place.rsplit(".", 1)[-1].lower()
        media_type = f"image/{extension}"
    format_ = IMAGES.get(SAME.get(media_type, media_type))
    if format_ is None:
        losses.drop(part.at, "it takes images of the types png, jpeg, gif and webp")
        return None
    if part.detail not in ("", "auto"):
        losses.hint(f"{part.at}.detail")
    return {"image": {"format": format_, "source": {"s3Location": {"uri": place}} if place else {"bytes": part.data}}}


def write_audio(part: Audio, losses: Losses) -> Json:
    format_ = SOUNDS.get(SAME.get(part.media_type, part.media_type))
    if not part.data or format_ is None:
        losses.drop(part.at, "it takes sounds as bytes of a known type")
        return None
    return {"audio": {"format": format_, "source": {"bytes": part.data}}}


def write_file(part: File, losses: Losses, names: set[str]) -> Json:
    """`names` are those of the documents before it; this one's is added."""
    if part.url or part.file_id:
        losses.drop(part.at, "it fetches no files: send their bytes")
        return None
    media_type = SAME.get(part.media_type, part.media_type)
    if media_type in VIDEOS:
        return {"video": {"format": VIDEOS[media_type], "source": {"bytes": part.data}}}
    format_ = DOCUMENTS.get(media_type)
    if format_ is None and not (part.text and not media_type):
        losses.drop(part.at, f"it takes no files of the type {media_type or 'unknown'}")
        return None
    name = document_name(part.title, names)
    names.add(name)
    block: dict[str, Json] = {"format": format_} if format_ else {}
    block |= {"name": name, "source": {"text": part.text} if part.text else {"bytes": part.data}}
    if part.context:
        block["context"] = part.context
    if part.citations:
        block["citations"] = {"enabled": True}
    return {"document": block}
