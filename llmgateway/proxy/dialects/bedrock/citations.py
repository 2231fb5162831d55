"""Bedrock's citations: a title, a source, pieces of the source's text, and where they stand in it."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Citation, Json
from llmgateway.proxy.dialects.bedrock.media import VENDOR
from llmgateway.proxy.dialects.members import Members

_DOCUMENTS = {"documentChar": "", "documentPage": "page", "documentChunk": "block"}
"""Locations in a document, with the unit of their offsets."""


def read_citation(told: Members, raw: Json) -> Citation:
    pieces = "".join(piece.text("text") for piece in told.each("sourceContent"))
    place = told.inner("location")
    found = Citation(kind="document", title=told.text("title"), url=told.text("source"), quote=pieces, vendor=VENDOR, raw=raw)
    if place is None:
        return found
    if (web := place.inner("web")) is not None:
        found.kind, found.url = "url", web.text("url") or found.url
    elif (hit := place.inner("searchResultLocation")) is not None:
        found.kind, found.document = "search", hit.integer("searchResultIndex")
        found.source_start, found.source_end = hit.integer("start"), hit.integer("end")
    for name, unit in _DOCUMENTS.items():
        if (spot := place.inner(name)) is not None:
            found.unit, found.document = unit, spot.integer("documentIndex")
            found.source_start, found.source_end = spot.integer("start"), spot.integer("end")
    return found


def write_citation(citation: Citation) -> Json:
    """The vendor's own object, or one made of what another vendor's says."""
    if citation.vendor == VENDOR and citation.raw is not None:
        return citation.raw
    made: dict[str, Json] = {"title": citation.title} if citation.title else {}
    if citation.url:
        made["source"] = citation.url
    if citation.quote:
        made["sourceContent"] = [{"text": citation.quote}]
    if (place := _location(citation)) is not None:
        made["location"] = place
    return made


def _location(citation: Citation) -> Json:
    if citation.kind == "url" and citation.url:
        return {"web": {"url": citation.url}}
    if citation.document is None:
        return None
    spot = {"start": citation.source_start, "end": citation.source_end}
    spot = {name: value for name, value in spot.items() if value is not None}
    if citation.kind == "search":
        return {"searchResultLocation": {"searchResultIndex": citation.document, **spot}}
    name = next((name for name, unit in _DOCUMENTS.items() if unit == citation.unit), "documentChar")
    return {name: {"documentIndex": citation.document, **spot}}
