"""Parts of a user's message, written as pieces of its `content`."""

from __future__ import annotations

from collections.abc import Sequence

from llmgateway.proxy.conversation.parts import AnyPart, Audio, File, Image, Refused, Special, Text
from llmgateway.proxy.dialects.openai_chat.draft import Draft, Made
from llmgateway.proxy.dialects.openai_chat.media import data_url, file_name, sound_format
from llmgateway.proxy.dialects.openai_chat.names import CHAT

WEB = ("https://", "http://")
OPENAI_FILE = "file-"
"""How the ids of OpenAI's files begin; Anthropic's begin otherwise."""

OPENAI_SOUNDS = ("wav", "mp3")
FILES_BY_URL = frozenset({"openrouter"})
VIDEOS = frozenset({"openrouter", "vllm", "together", "fireworks", "moonshotai", "zai", ""})


def pieces(draft: Draft, parts: Sequence[AnyPart]) -> list[Made]:
    made = ((part, piece(draft, part)) for part in parts)
    return [draft.marked(part, said) for part, said in made if said is not None]


def piece(draft: Draft, part: AnyPart) -> Made | None:
    """None where it can't be expressed, which is told."""
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Refused():
            return {"type": "refusal", "refusal": part.text} if draft.openai else {"type": "text", "text": part.text}
        case Image():
            return _image(draft, part)
        case Audio():
            return _audio(draft, part)
        case File():
            return _file(draft, part)
        case Special(vendor=vendor, raw=raw) if vendor == CHAT and isinstance(raw, dict):
            return dict(raw)
        case _:
            return _lost(draft, part, "only its own vendor knows it")


def _lost(draft: Draft, part: AnyPart, why: str = "") -> Made | None:
    draft.losses.drop(part.at, why)
    return None


def _image(draft: Draft, part: Image) -> Made | None:
    if draft.lacks("image"):
        return _lost(draft, part, "it takes no images")
    if not part.data and not part.url:
        return _lost(draft, part, "an image is given as data or by an address")
    if not part.data and draft.lacks("image_url"):
        return _lost(draft, part, "it takes images as data only")
    if not part.data and not draft.own and not part.url.startswith(WEB):
        return _lost(draft, part, "its address is no http(s) URL")
    url = data_url(part.media_type, part.data) if part.data else part.url
    return {"type": "image_url", "image_url": {"url": url, "detail": part.detail} if part.detail else {"url": url}}


def _audio(draft: Draft, part: Audio) -> Made | None:
    form = sound_format(part.media_type)
    if draft.lacks("audio") or (draft.openai and form not in OPENAI_SOUNDS):
        return _lost(draft, part, "it takes no audio" if draft.lacks("audio") else "it takes audio as wav or mp3")
    if not part.data:
        return _lost(draft, part, "audio is given as data")
    return {"type": "input_audio", "input_audio": {"data": part.data, "format": form} if form else {"data": part.data}}


def _file(draft: Draft, part: File) -> Made | None:
    if part.citations:
        draft.losses.drop(f"{part.at}.citations", "it does not cite documents")
    if part.context:
        draft.losses.drop(f"{part.at}.context")
    if part.text:
        if part.title:
            draft.losses.hint(f"{part.at}.title")
        return {"type": "text", "text": part.text}
    if part.media_type.startswith("video/"):
        return _video(draft, part)
    if draft.lacks("file"):
        return _lost(draft, part, "it takes no files")
    return _mistral(draft, part) if draft.vendor == "mistral" else _openai(draft, part)


def _video(draft: Draft, part: File) -> Made | None:
    if draft.vendor not in VIDEOS or not (part.data or part.url):
        return _lost(draft, part, "it takes no videos")
    return {"type": "video_url", "video_url": {"url": data_url(part.media_type, part.data) if part.data else part.url}}


def _mistral(draft: Draft, part: File) -> Made | None:
    if part.file_id:
        return {"type": "file", "file_id": part.file_id} if draft.own else _lost(draft, part, "the file lies at another vendor")
    named = {"document_name": part.title} if part.title else {}
    return {"type": "document_url", "document_url": data_url(part.media_type, part.data) if part.data else part.url} | named


def _openai(draft: Draft, part: File) -> Made | None:
    """A file that came by its id lies at the vendor who gave the id; the Responses' files are OpenAI's too."""
    if part.file_id:
        known = draft.own or (draft.openai and part.file_id.startswith(OPENAI_FILE))
        return {"type": "file", "file": {"file_id": part.file_id}} if known else _lost(draft, part, "the file lies at another vendor")
    if part.data:
        held = data_url(part.media_type, part.data) if part.media_type else part.data
        return {"type": "file", "file": {"file_data": held, "filename": part.title or file_name(part.media_type)}}
    if draft.vendor in FILES_BY_URL and part.url:
        return {"type": "file", "file": {"file_data": part.url} | ({"filename": part.title} if part.title else {})}
    return _lost(draft, part, "a file is given as data")
