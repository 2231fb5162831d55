"""Anthropic's five kinds of citation. An own one goes out as it came; one of another vendor is told by its nearest kind."""

from __future__ import annotations

from typing import NamedTuple

from llmgateway.proxy.conversation.parts import Citation, Json
from llmgateway.proxy.dialects.anthropic_messages.names import ANTHROPIC
from llmgateway.proxy.dialects.anthropic_messages.reading import Fail, Members

WEB = "web_search_result_location"
SEARCH = "search_result_location"


class _Place(NamedTuple):
    unit: str
    start: str
    end: str


_PLACES = {
    "char_location": _Place("", "start_char_index", "end_char_index"),
    "page_location": _Place("page", "start_page_number", "end_page_number"),
    "content_block_location": _Place("block", "start_block_index", "end_block_index"),
    SEARCH: _Place("block", "start_block_index", "end_block_index"),
}
_BY_UNIT = {place.unit: kind for kind, place in _PLACES.items() if kind != SEARCH}


def read(raw: Json, path: str, fail: Fail) -> Citation:
    given = Members(raw, path, fail)
    kind = given.text("type")
    quote, own = given.text("cited_text"), {"vendor": ANTHROPIC, "raw": raw}
    place = _PLACES.get(kind)
    if place is None:
        return Citation("url", url=given.text("url"), title=given.text("title"), quote=quote, **own)
    start, end = given.whole(place.start), given.whole(place.end)
    if kind == SEARCH:
        number, url, title = given.whole("search_result_index"), given.text("source"), given.text("title")
        found = Citation("search", url=url, title=title, quote=quote, document=number, **own)
    else:
        number, title, file_id = given.whole("document_index"), given.text("document_title"), given.text("file_id")
        found = Citation("document", title=title, quote=quote, document=number, document_id=file_id, **own)
    found.unit, found.source_start, found.source_end = place.unit, start, end
    return found


def write(citation: Citation) -> Json:
    """What an official client reads. Where the quoting text itself starts and ends has no place here: a citation hangs on
    its block."""
    if citation.vendor == ANTHROPIC and isinstance(citation.raw, dict):
        return citation.raw
    if citation.kind == "url":
        return {"type": WEB, "cited_text": citation.quote, "url": citation.url, "title": citation.title or None, "encrypted_index": ""}
    kind = SEARCH if citation.kind == "search" else _BY_UNIT.get(citation.unit, "char_location")
    place = _PLACES[kind]
    told: dict[str, Json] = {"type": kind, "cited_text": citation.quote}
    told[place.start], told[place.end] = citation.source_start or 0, citation.source_end or 0
    if kind == SEARCH:
        return {**told, "search_result_index": citation.document or 0, "source": citation.url, "title": citation.title or None}
    return {
        **told,
        "document_index": citation.document or 0,
        "document_title": citation.title or None,
        "file_id": citation.document_id or None,
    }


def replayable(citation: Citation) -> bool:
    """Whether Anthropic takes it back: only its own, whose web results it can decrypt."""
    if citation.vendor != ANTHROPIC or not isinstance(citation.raw, dict):
        return False
    return citation.raw.get("type") != WEB or bool(citation.raw.get("encrypted_index"))
