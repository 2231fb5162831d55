"""Images, sound, videos and documents: `inlineData` (bytes in place) and `fileData` (an address), each with its media type."""

from __future__ import annotations

import base64
import mimetypes
from typing import NamedTuple
from urllib.parse import urlsplit

from llmgateway.proxy.conversation.parts import Audio, File, Image, Json
from llmgateway.proxy.dialects.gemini.reading import Members

Medium = Image | Audio | File

_TUBES = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be"})
"""Google watches videos at these addresses itself and needs no type for them."""

_TYPES = {".webp": "image/webp", ".heic": "image/heic", ".heif": "image/heif", ".md": "text/markdown", ".flac": "audio/flac"}
"""What Python's table may lack."""


def read_inline(blob: Members, at: str) -> Medium:
    kind, data = blob.text("mimeType") or "", blob.text("data") or ""
    if kind.startswith("image/"):
        return Image(data=data, media_type=kind, at=at)
    if kind.startswith("audio/"):
        return Audio(data=data, media_type=kind, at=at)
    return File(data=data, media_type=kind, title=blob.text("displayName") or "", at=at)


def read_file(file: Members, at: str) -> Medium:
    kind, address = file.text("mimeType") or "", file.text("fileUri") or ""
    if kind.startswith("image/"):
        return Image(url=address, media_type=kind, at=at)
    if kind.startswith("audio/"):
        return Audio(url=address, media_type=kind, at=at)
    return File(url=address, media_type=kind, title=file.text("displayName") or "", at=at)


class Unwritable(NamedTuple):
    """Why a medium can't be said, as a clause."""

    why: str


def written(part: Medium, *, lenient: bool = False) -> dict[str, Json] | Unwritable:
    """`lenient` leaves a media type out that nobody told; otherwise it must be known: Google refuses data without one."""
    title = part.title if isinstance(part, File) else ""
    if isinstance(part, File) and part.text:
        data = base64.b64encode(part.text.encode("utf-8", "surrogatepass")).decode()
        return _inline(data, part.media_type or "text/plain", title)
    if part.data:
        kind = part.media_type or guessed(title)
        return _inline(part.data, kind, title) if kind or lenient else Unwritable("its media type is not told")
    if part.url:
        kind = part.media_type or guessed(urlsplit_path(part.url))
        known = kind or lenient or _is_tube(part.url)
        return _file(part.url, kind, title) if known else Unwritable("its media type is not told, and its address does not show it")
    return Unwritable(_no_content(part))


def _no_content(part: Medium) -> str:
    if isinstance(part, Audio):
        return "it names sound that is kept at another vendor" if part.audio_id else "it has no data"
    return "it names a file that is kept at another vendor" if part.file_id else "it has no data"


def _inline(data: str, kind: str, title: str) -> dict[str, Json]:
    blob = {"mimeType": kind} if kind else {}
    return {"inlineData": {**blob, "data": data, **({"displayName": title} if title else {})}}


def _file(address: str, kind: str, title: str) -> dict[str, Json]:
    named = {"mimeType": kind} if kind else {}
    return {"fileData": {**named, "fileUri": address, **({"displayName": title} if title else {})}}


def urlsplit_path(address: str) -> str:
    """The path of an address, without what is behind it; "" of what is no address."""
    try:
        return urlsplit(address).path
    except ValueError:
        return ""


def _is_tube(address: str) -> bool:
    try:
        return (urlsplit(address).hostname or "") in _TUBES
    except ValueError:
        return False


def guessed(name: str) -> str:
    """The media type that a file's name shows, "" when it shows none."""
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    if not suffix or "/" in suffix:
        return ""
    return _TYPES.get(suffix) or mimetypes.types_map.get(suffix, "")
