"""Cohere's citations: a piece of the answer's text and the documents or tool results that support it.

One of them may have several sources; the conversation's have one each, and the first keeps the vendor's own object.
"""

from __future__ import annotations

from collections.abc import Iterable

from llmgateway.proxy.conversation.parts import Citation, Json
from llmgateway.proxy.dialects.members import Members

VENDOR = "cohere"
OF_TEXT = "TEXT_CONTENT"

_QUOTED = ("snippet", "text", "content", "data")
"""Members of a document that hold its text, the likeliest first."""


def read_citations(told: Members, raw: Json) -> list[Citation]:
    """[] for a citation of something else than the text (a plan, a thought): no part of the conversation cites there."""
    if told.text("type") not in ("", OF_TEXT):
        return []
    start, end = told.integer("start"), told.integer("end")
    found = [_cited(source, start, end) for source in told.each("sources")] or [Citation("document", start=start, end=end)]
    for citation in found:
        citation.vendor = VENDOR
    found[0].raw = raw
    return found


def _cited(source: Members, start: int | None, end: int | None) -> Citation:
    kind, name = source.text("type"), source.text("id")
    held = source.mapping("tool_output" if kind == "tool" else "document") or {}
    texts = {member: value for member, value in held.items() if isinstance(value, str)}
    return Citation(
        kind="document",
        document_id=name,
        title=texts.get("title", ""),
        url=texts.get("url", ""),
        quote=next((texts[member] for member in _QUOTED if member in texts), ""),
        start=start,
        end=end,
    )


def write_citations(citations: Iterable[Citation], text: str, place: int) -> list[Json]:
    """Those of one text, which is the content block `place`."""
    written: list[Json] = []
    for citation in citations:
        if citation.vendor != VENDOR:
            written.append(_made(citation, text, place))
        elif citation.raw is not None:
            written.append(citation.raw)
    return written


def _made(citation: Citation, text: str, place: int) -> Json:
    document = {"title": citation.title, "url": citation.url, "snippet": citation.quote}
    start, end = citation.start or 0, citation.end if citation.end is not None else len(text)
    return {
        "start": start,
        "end": end,
        "text": text[start:end],
        "sources": [
            {"type": "document", "id": citation.document_id, "document": {name: value for name, value in document.items() if value}}
        ],
        "content_index": place,
        "type": OF_TEXT,
    }
