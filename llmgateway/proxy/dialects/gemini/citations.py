"""`groundingMetadata` and `citationMetadata` to citations on the texts that they are about, and back.

Google counts offsets in bytes of UTF-8, of a part where it names one and else of the answer's text; the conversation
counts characters. Where a segment repeats its text, that decides which part is meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llmgateway.proxy.conversation.parts import AnyPart, Citation, Json, Text
from llmgateway.proxy.dialects.gemini.names import VENDOR

_PLAIN = frozenset({"uri", "title"})


class Placed(NamedTuple):
    """A citation and the place of the text that cites, among the parts that were given."""

    part: int
    citation: Citation


class _Span(NamedTuple):
    part: int
    start: int | None
    end: int | None


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _objects(value: Json) -> list[dict[str, Json]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def read(candidate: dict[str, Json], parts: Sequence[AnyPart]) -> list[Placed]:
    """The citations of a candidate. What cites no text there is has none."""
    texts = {place: part.text for place, part in enumerate(parts) if isinstance(part, Text)}
    if not texts:
        return []
    grounding = _object(candidate.get("groundingMetadata"))
    sources = [_source(chunk) for chunk in _objects(grounding.get("groundingChunks"))]
    found, used = [], set()
    for support in _objects(grounding.get("groundingSupports")):
        span = _locate(_object(support.get("segment")), texts)
        for number in support.get("groundingChunkIndices") or ():
            if isinstance(number, int) and 0 <= number < len(sources):
                used.add(number)
                found.append(_cite(sources[number], span))
    whole = _Span(max(texts), None, None)
    found += [_cite(source, whole) for number, source in enumerate(sources) if number not in used]
    return found + _read_recited(candidate, texts)


def _cite(source: Citation, span: _Span) -> Placed:
    return Placed(
        span.part, Citation(**{**{name: getattr(source, name) for name in source.__struct_fields__}, "start": span.start, "end": span.end})
    )


def _source(chunk: dict[str, Json]) -> Citation:
    """`raw` where there is more than an address and a title to it."""
    web = _object(chunk.get("web"))
    if web:
        raw = None if _PLAIN.issuperset(web) else chunk
        return Citation("url", url=_text(web.get("uri")), title=_text(web.get("title")), vendor=VENDOR, raw=raw)
    kept = _object(chunk.get("retrievedContext"))
    if kept:
        known = _PLAIN | {"text", "documentName"}
        return Citation(
            "document",
            url=_text(kept.get("uri")),
            title=_text(kept.get("title")),
            quote=_text(kept.get("text")),
            document_id=_text(kept.get("documentName")),
            vendor=VENDOR,
            raw=None if known.issuperset(kept) else chunk,
        )
    inner = next((_object(value) for value in chunk.values()), {})
    return Citation("url", url=_text(inner.get("uri")), title=_text(inner.get("title")), vendor=VENDOR, raw=chunk)


def _locate(segment: dict[str, Json], texts: dict[int, str]) -> _Span:
    named, end, said = _count(segment.get("partIndex")) or 0, _count(segment.get("endIndex")), _text(segment.get("text"))
    start = _count(segment.get("startIndex")) or 0
    first = named if named in texts else min(texts)
    if end is None:
        return _Span(first, None, None)
    for place in (first, *(place for place in texts if place != first)):
        span = _characters(texts[place], start, end)
        if span is not None and (not said or texts[place][span[0] : span[1]] == said):
            return _Span(place, *span)
    for place, text in texts.items():
        if said and said in text:
            return _Span(place, text.index(said), text.index(said) + len(said))
    return _Span(first, None, None)


def _characters(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Offsets of bytes as offsets of characters; None where they are outside of the text or inside a character."""
    data = text.encode("utf-8", "surrogatepass")
    if start > end or end > len(data):
        return None
    try:
        before = len(data[:start].decode("utf-8", "surrogatepass"))
        return before, before + len(data[start:end].decode("utf-8", "surrogatepass"))
    except UnicodeDecodeError:
        return None


def _read_recited(candidate: dict[str, Json], texts: dict[int, str]) -> list[Placed]:
    """What a model recites, with the address it is known from."""
    told = _object(candidate.get("citationMetadata"))
    found = []
    for one in _objects(told.get("citations") or told.get("citationSources")):
        span = _locate({name: one.get(name) for name in ("startIndex", "endIndex")}, texts)
        source = Citation("url", url=_text(one.get("uri")), title=_text(one.get("title")), vendor=VENDOR)
        found.append(_cite(source, span))
    return found


def written(texts: Sequence[tuple[int, Text]]) -> dict[str, Json] | None:
    """`groundingMetadata` of the citations on these texts, each with the place of its part; None without any."""
    chunks: list[Json] = []
    supports: list[dict[str, Json]] = []
    for place, part in texts:
        for citation in part.citations:
            chunk = _chunk(citation)
            if chunk not in chunks:
                chunks.append(chunk)
            segment = _segment(citation, place, part.text)
            if not supports or supports[-1]["segment"] != segment:
                supports.append({"segment": segment, "groundingChunkIndices": []})
            supports[-1]["groundingChunkIndices"].append(chunks.index(chunk))
    return {"groundingChunks": chunks, "groundingSupports": supports} if chunks else None


def _chunk(citation: Citation) -> dict[str, Json]:
    if citation.vendor == VENDOR and isinstance(citation.raw, dict):
        return citation.raw
    named = {"uri": citation.url, "title": citation.title}
    if citation.kind == "url":
        return {"web": {name: value for name, value in named.items() if value}}
    kept = {**named, "text": citation.quote, "documentName": citation.document_id}
    return {"retrievedContext": {name: value for name, value in kept.items() if value}}


def _segment(citation: Citation, place: int, text: str) -> dict[str, Json]:
    segment: dict[str, Json] = {"partIndex": place} if place else {}
    if citation.start is None or citation.end is None or not 0 <= citation.start <= citation.end <= len(text):
        return segment
    said = text[citation.start : citation.end]
    start = len(text[: citation.start].encode("utf-8", "surrogatepass"))
    end = start + len(said.encode("utf-8", "surrogatepass"))
    return {**segment, **({"startIndex": start} if start else {}), "endIndex": end, "text": said}
