"""data: URLs and names of media, as this dialect spells them."""

from __future__ import annotations

import mimetypes

SOUNDS = {"audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/vnd.wave": "wav"}
"""What the dialect calls a kind of sound; another one is called by its subtype."""

_MEDIA = {"mp3": "audio/mpeg", "wav": "audio/wav"}


def split_data_url(url: str) -> tuple[str, str] | None:
    """Media type and base64 data; None for any other URL, one without data included."""
    if url[:5].lower() != "data:":
        return None
    head, comma, data = url[5:].partition(",")
    return (head[: -len(";base64")], data) if comma and data and head.endswith(";base64") else None


def data_url(media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"


def sound_format(media_type: str) -> str:
    return SOUNDS.get(media_type) or media_type.removeprefix("audio/")


def sound_media(name: str) -> str:
    return _MEDIA.get(name) or (f"audio/{name}" if name else "")


def file_name(media_type: str) -> str:
    """For a file without one: OpenAI refuses data that has no name."""
    return f"file{mimetypes.guess_extension(media_type) or ''}"


def video_media(url: str) -> str:
    """What a video at this address is, by its name."""
    guessed = mimetypes.guess_type(url)[0] or ""
    return guessed if guessed.startswith("video/") else "video/*"
