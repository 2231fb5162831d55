"""Reasoning in a message: a text that may be read (`reasoning_content`, or `reasoning`) and OpenRouter's `reasoning_details`,
a list of entries that hold what must come back unchanged.

An entry is of type reasoning.text, reasoning.summary or reasoning.encrypted. What else it holds (signature, data, format)
is one opaque value here: the JSON of those members. Signatures of other vendors are wrapped into the entry's signature
or data. An answer has its reasoning before its content, so two members of our own keep the order of what was said
otherwise: `after_text` and `after_calls` tell how many characters and tool calls came before. `pieces` are the lengths
of a summary's pieces, where there are several.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from llmgateway.proxy.conversation import seals
from llmgateway.proxy.conversation.parts import AnyPart, Json, Reasoning, Signature, Text, ToolCall
from llmgateway.proxy.dialects.members import Members
from llmgateway.proxy.dialects.openai_chat.names import CHAT, GEMINI

TEXT, SUMMARY, ENCRYPTED = "reasoning.text", "reasoning.summary", "reasoning.encrypted"
GAP = "\n\n"
"""Between the pieces of a summary, where it is one text."""

PART, CALL, EMPTY = "part", "call", "text"
"""What a wrapped signature that is no reasoning's belongs to: the part that follows, the call that follows, an empty text
that only carried it."""


class Placed(NamedTuple):
    """An entry as it was read: reasoning, or (`part` is None) the signature of another part, of the kind `of`."""

    part: Reasoning | None
    text: int = 0
    calls: int = 0
    signature: Signature | None = None
    of: str = ""


def readable(part: Reasoning) -> str:
    return GAP.join(part.summary) or part.text


def read(entry: Members, *, unsealed: bool) -> Placed:
    """`unsealed`: whether wrapped signatures are ours to unwrap; in an upstream's answer they are another house's."""
    kind = entry.needed_text("type")
    part = Reasoning(text=entry.text("text"), summary=_pieces(entry), id=entry.text("id"), redacted=kind == ENCRYPTED, at=entry.at)
    text, calls = entry.integer("after_text") or 0, entry.integer("after_calls") or 0
    held = opaque(entry, kind)
    sealed = _unsealed(held) if unsealed else None
    if sealed is None:
        part.signature = own(held)
    elif sealed.kind in (PART, CALL, EMPTY):
        return Placed(None, text, calls, sealed.signature, sealed.kind)
    else:
        part.signature = sealed.signature
    return Placed(part, text, calls)


def opaque(entry: Members, kind: str) -> dict[str, Json]:
    """What nobody has taken of the entry and that says something."""
    held = {path[len(entry.at) + 1 :]: value for path, value in entry.left().items() if value is not None and value != ""}
    held.pop("index", None)
    if held.get("format") == "unknown":
        del held["format"]
    return held if kind in (TEXT, SUMMARY, ENCRYPTED) else held | {"type": kind}


def own(held: dict[str, Json]) -> Signature | None:
    return Signature(CHAT, msgspec.json.encode(held, order="sorted").decode()) if held else None


def _pieces(entry: Members) -> list[str]:
    summary, lengths, pieces = entry.text("summary"), entry.array("pieces"), []
    for place, length in enumerate(lengths):
        if type(length) is not int or length < 0:
            raise entry.wrong(f"{entry.path('pieces')}[{place}]", "a length")
        pieces.append(summary[:length])
        summary = summary[length + len(GAP) :]
    return pieces if lengths else [summary] if summary else []


def _unsealed(held: dict[str, Json]) -> seals.Sealed | None:
    value = held.get("signature") or held.get("data")
    return seals.unwrap(value) if isinstance(value, str) else None


def entry(part: Reasoning, index: int) -> dict[str, Json]:
    """Of reasoning, with its signature: an own one in its members, another's wrapped."""
    kind = ENCRYPTED if part.redacted else SUMMARY if part.summary and not part.text else TEXT
    made: dict[str, Json] = {"type": kind, "index": index, "format": "unknown"}
    made |= {name: value for name, value in (("text", part.text), ("summary", GAP.join(part.summary)), ("id", part.id)) if value}
    if len(part.summary) > 1:
        made["pieces"] = [len(piece) for piece in part.summary]
    if part.signature is not None:
        made |= _members_of(part.signature, ENCRYPTED if part.redacted else kind)
    return made


def _members_of(signature: Signature, kind: str) -> dict[str, Json]:
    if signature.vendor == CHAT and f'"{seals.MARK}' not in signature.value:
        held = _members(signature.value)
        if held is not None:
            return held
    name = "data" if kind == ENCRYPTED else "signature"
    return {name: seals.wrap(signature, "redacted" if kind == ENCRYPTED else "reasoning")}


def _members(value: str) -> dict[str, Json] | None:
    try:
        held = msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None
    return held if isinstance(held, dict) and not _RESERVED.intersection(held) else None


_RESERVED = frozenset({"text", "summary", "id", "index", "after_text", "after_calls", "pieces"})


def carrier(part: AnyPart, index: int, *, empty: bool) -> dict[str, Json] | None:
    """An entry for the signature of a part that has no place of its own for it; None when it needs none."""
    if part.signature is None or (isinstance(part, ToolCall) and part.signature.vendor == GEMINI):
        return None
    of = CALL if isinstance(part, ToolCall) else EMPTY if empty else PART
    return {"type": ENCRYPTED, "index": index, "format": "unknown", "data": seals.wrap(part.signature, of)}


def plain(part: Reasoning) -> bool:
    """Whether a readable text is all that there is to it."""
    return part.signature is None and not (part.redacted or part.summary or part.id)


def tell(parts: list[AnyPart]) -> tuple[str, list[dict[str, Json]]]:
    """The readable text and the entries of an answer's parts; no entries when the text says everything."""
    texts: list[str] = []
    entries: list[dict[str, Json]] = []
    text, calls, needed = 0, 0, False
    for part in parts:
        empty = isinstance(part, Text) and not part.text
        made = entry(part, len(entries)) if isinstance(part, Reasoning) else carrier(part, len(entries), empty=empty)
        if made is not None:
            needed = needed or not (isinstance(part, Reasoning) and plain(part)) or bool(entries or text or calls)
            entries.append(placed(made, text, calls))
        if isinstance(part, Reasoning):
            texts.append(readable(part))
        text += len(part.text) if isinstance(part, Text) else 0
        calls += isinstance(part, ToolCall)
    return "".join(texts), entries if needed else []


def placed(made: dict[str, Json], text: int, calls: int) -> dict[str, Json]:
    return made | {name: count for name, count in (("after_text", text), ("after_calls", calls)) if count}
