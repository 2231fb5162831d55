"""Annotations of an output text, to citations and back."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Citation, Json
from llmgateway.proxy.dialects.openai_responses.members import WrongType
from llmgateway.proxy.dialects.openai_responses.names import NAME

KINDS = {"url_citation": "url", "file_citation": "file", "container_file_citation": "file", "file_path": "file"}

PLAIN = {
    "url_citation": {"type", "url", "title", "start_index", "end_index"},
    "file_citation": {"type", "file_id", "filename", "index"},
}
"""Members that all have slots, by type: only an annotation with others is kept as it came."""


def citation(value: Json, path: str) -> Citation:
    if not isinstance(value, dict):
        raise WrongType(path, "an object")
    kind = value.get("type")
    plain = isinstance(kind, str) and set(value) <= PLAIN.get(kind, set())
    made = Citation(
        kind=KINDS.get(kind, "document") if isinstance(kind, str) else "document",
        url=_text(value, "url"),
        title=_text(value, "title") or _text(value, "filename"),
        document=_whole(value, "index"),
        document_id=_text(value, "file_id"),
        start=_whole(value, "start_index"),
        end=_whole(value, "end_index"),
    )
    if not plain:
        made.vendor, made.raw = NAME, value
    return made


def _text(value: dict[str, Json], name: str) -> str:
    held = value.get(name)
    return held if isinstance(held, str) else ""


def _whole(value: dict[str, Json], name: str) -> int | None:
    held = value.get(name)
    return held if isinstance(held, int) and not isinstance(held, bool) else None


def annotation(told: Citation, length: int) -> dict[str, Json]:
    """`length` is that of the citing text: a citation without offsets cites for all of it."""
    if told.vendor == NAME and isinstance(told.raw, dict):
        return told.raw
    if told.url and told.kind != "file":
        start = 0 if told.start is None else told.start
        end = length if told.end is None else told.end
        return {"type": "url_citation", "url": told.url, "title": told.title, "start_index": start, "end_index": end}
    return {
        "type": "file_citation",
        "file_id": told.document_id,
        "filename": told.title,
        "index": told.document or 0,
    }
