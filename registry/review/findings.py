"""What deserves a second look in a proposed version. Deterministic rules with a reason each; a human decides.

The rules follow what went wrong elsewhere: definitions that changed after approval, instructions hidden in invisible
characters, tools that stopped being read-only, descriptions that talk to the model instead of about the tool.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

from registry import hidden
from registry.choices import Risk

MAX_FINDINGS = 500


class Finding(TypedDict):
    level: int
    code: str
    part: str
    message: str


def finding(level: Risk, code: str, part: str, message: str) -> Finding:
    return {"level": int(level), "code": code, "part": part, "message": message}


_ORDERS = re.compile(
    r"(?i)\b(?:ignore|disregard|forget)\s+(?:\w+\s+){0,3}(?:previous|prior|above|other|earlier|system|all)\b"
    r"|\b(?:do\s+not|don'?t|never)\s+(?:tell|inform|mention|reveal|show)\s+(?:\w+\s+){0,3}(?:user|human|anyone)\b"
    r"|<\s*/?\s*(?:important|system|secret|instructions?|hidden)\s*>"
    r"|\bsystem\s+prompt\b|\byou\s+are\s+now\b"
    r"|\b(?:before|after)\s+(?:using|calling|invoking)\s+(?:this|any|all|other|any\s+other|all\s+other)\s+tools?\b.{0,80}\b(?:read|send|call|include|pass)\b"
    r"|~/\.(?:ssh|aws|cursor|config)|\bid_rsa\b|\.env\b"
)
_URL = re.compile(r"https?://[^\s\"'<>)\]]+")


def text_findings(part: str, text: str, *, before: str | None = None) -> Iterator[Finding]:
    """What is odd about a text that a model will read. `before` is the approved text, None when there is none."""
    found = sorted({hidden.name_of(char) for _, char in hidden.find(text)})
    if found:
        yield finding(Risk.DANGER, "hidden-unicode", part, f"Holds invisible characters: {', '.join(found[:5])}.")
    order = _ORDERS.search(text)
    if order is not None and (before is None or order[0] not in before):
        quoted = hidden.reveal(order[0].strip()[:120])
        yield finding(Risk.DANGER, "instructions", part, f"Speaks to the model instead of about itself: “{quoted}”.")
    known = set(_URL.findall(before or ""))
    fresh = [url for url in dict.fromkeys(_URL.findall(text)) if url not in known]
    if fresh and before is not None:
        yield finding(Risk.WARNING, "new-address", part, f"Names an address it did not name before: {hidden.reveal(fresh[0][:200])}.")


def strings_of(value: Any) -> Iterator[str]:
    """Every text in a JSON value, names of members included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from strings_of(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings_of(member)


def tool_findings(name: str, after: Mapping[str, Any], before: Mapping[str, Any] | None) -> Iterator[Finding]:
    """`before` is the approved definition, None for a tool that is new."""
    part = f"tool {name}"
    old_text = None if before is None else "\n".join(strings_of(before))
    yield from text_findings(part, "\n".join(strings_of(after)), before=old_text)
    if before is None:
        yield from _new_tool(part, after)
        return
    yield from _hint_flips(part, _mapping(before.get("annotations")), _mapping(after.get("annotations")))
    yield from _parameters(part, _mapping(before.get("inputSchema")), _mapping(after.get("inputSchema")))
    if before.get("description") != after.get("description") or before.get("title") != after.get("title"):
        yield finding(Risk.WARNING, "description-changed", part, "Describes itself differently: models choose and use tools by this text.")
    if before.get("outputSchema") != after.get("outputSchema"):
        yield finding(Risk.NOTE, "output-changed", part, "Answers in another shape.")


def _new_tool(part: str, definition: Mapping[str, Any]) -> Iterator[Finding]:
    hints = _mapping(definition.get("annotations"))
    if hints.get("readOnlyHint") is True:
        return
    if hints.get("destructiveHint") is True:
        yield finding(Risk.WARNING, "destructive", part, "New, and says that it may destroy or overwrite.")
    else:
        yield finding(Risk.NOTE, "writes", part, "New, and does not say that it only reads.")


# A hint, the value that is the safe one, and what a reader may assume of a tool that gives none (MCP, ToolAnnotations).
_HINTS = (("readOnlyHint", True, False), ("destructiveHint", False, True), ("idempotentHint", True, False), ("openWorldHint", False, True))
_HINT_WORDS = {
    "readOnlyHint": "It no longer says that it only reads.",
    "destructiveHint": "It now may destroy or overwrite.",
    "idempotentHint": "Calling it twice may now do more than calling it once.",
    "openWorldHint": "It now reaches out to the open world.",
}


def _hint_flips(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    for hint, safe, default in _HINTS:
        if before.get(hint, default) is safe and after.get(hint, default) is not safe:
            level = Risk.DANGER if hint in {"readOnlyHint", "destructiveHint"} else Risk.WARNING
            yield finding(level, "hint-flip", part, _HINT_WORDS[hint])


def _parameters(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Finding]:
    old, new = _mapping(before.get("properties")), _mapping(after.get("properties"))
    newly_required = sorted(_names(after.get("required")) - _names(before.get("required")))
    if newly_required:
        yield finding(Risk.WARNING, "new-required-parameter", part, f"Now requires {', '.join(newly_required)}: existing calls break.")
    for name in sorted(new.keys() - old.keys()):
        schema = _mapping(new[name])
        if schema.get("type") == "string" and not schema.get("enum") and "const" not in schema:
            yield finding(Risk.WARNING, "new-free-text", part, f"The new parameter {name} takes any text: data can leave through it.")
        else:
            yield finding(Risk.NOTE, "new-parameter", part, f"Has a new parameter {name}.")
    gone = sorted(old.keys() - new.keys())
    if gone:
        yield finding(Risk.NOTE, "parameter-gone", part, f"No longer takes {', '.join(gone)}.")
    if any(old[name] != new[name] for name in old.keys() & new.keys()):
        yield finding(Risk.NOTE, "parameter-changed", part, "A parameter's schema changed.")
    if before.get("additionalProperties") is False and after.get("additionalProperties") is not False:
        yield finding(Risk.WARNING, "schema-loosened", part, "Now takes parameters that it does not name.")


def _names(value: Any) -> set[str]:
    return {item for item in value if isinstance(item, str)} if isinstance(value, list) else set()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def worst(findings: list[Finding]) -> int:
    """The highest level, 0 for none."""
    return max((item["level"] for item in findings), default=0)


def ranked(findings: Iterator[Finding]) -> list[Finding]:
    """The worst first, at most MAX_FINDINGS."""
    return sorted(findings, key=lambda item: (-item["level"], item["part"]))[:MAX_FINDINGS]
