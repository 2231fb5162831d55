"""What a reviewer is shown: every part that differs between what is live and what is proposed.

A difference is a list of parts, stored as JSON with the review: `group`, `part`, `change` (added, removed, changed),
`before` and `after` as text. Rows for the page are made from it when it is looked at.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from registry import canonical, hidden

MAX_PART = 64_000
"""Characters of one side of one part. A tool's definition has a thousand, a long SKILL.md twenty thousand."""
MAX_DIFFERENCE = 4_000_000
"""Characters of a whole difference. What is beyond is listed without its text, and the reviewer is told."""
CONTEXT = 3


class Part(TypedDict):
    group: str
    part: str
    change: str
    before: str
    after: str
    cut: bool


def compare(group: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[Part]:
    """One part per name whose text differs, in the order: changed, added, removed, each by name."""
    parts: list[Part] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        change = "added" if old is None else "removed" if new is None else "changed"
        cut = max(len(old or ""), len(new or "")) > MAX_PART
        parts.append(
            {"group": group, "part": name, "change": change, "before": (old or "")[:MAX_PART], "after": (new or "")[:MAX_PART], "cut": cut}
        )
    return sorted(parts, key=lambda part: ("changed", "added", "removed").index(part["change"]))


def bounded(parts: Iterable[Part]) -> list[Part]:
    """The parts with their texts up to MAX_DIFFERENCE characters together; the rest without, marked as cut."""
    total = 0
    kept: list[Part] = []
    for part in parts:
        total += len(part["before"]) + len(part["after"])
        kept.append(part if total <= MAX_DIFFERENCE else {**part, "before": "", "after": "", "cut": True})
    return kept


def readable(definition: Mapping[str, Any]) -> str:
    """JSON as text that is compared line by line: texts as they read, everything else indented."""
    lines: list[str] = []
    for name in sorted(definition, key=lambda name: (name not in ("title", "name", "description"), name)):
        value = definition[name]
        if isinstance(value, str):
            body = value.splitlines() or [""]
            lines += [f"{name}: {body[0]}"] if len(body) == 1 else [f"{name}:", *(f"  {line}" for line in body)]
        else:
            lines += f"{name}: {canonical.pretty(value)}".splitlines()
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Span:
    """Text within a line; `marked` is what differs."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A line of both sides. `kind` is same, changed, added, removed or gap; a number of None leaves that side empty."""

    kind: str
    left: tuple[Span, ...] = ()
    right: tuple[Span, ...] = ()
    left_number: int | None = None
    right_number: int | None = None


def rows(before: str, after: str) -> list[Row]:
    """Both sides line by line, with a few equal lines around what differs. Hidden characters are written out."""
    left, right = (hidden.reveal(text).splitlines() for text in (before, after))
    made: list[Row] = []
    for number, group in enumerate(difflib.SequenceMatcher(None, left, right, autojunk=False).get_grouped_opcodes(CONTEXT)):
        if number or group[0][1] > 0 or group[0][3] > 0:
            made.append(Row("gap"))
        for code in group:
            made += _rows_of(code, left, right)
    return made


def _rows_of(code: tuple[str, int, int, int, int], left: list[str], right: list[str]) -> list[Row]:
    tag, left_from, left_to, right_from, right_to = code
    if tag == "equal":
        return [
            Row("same", (Span(left[at]),), (Span(left[at]),), at + 1, right_from + (at - left_from) + 1) for at in range(left_from, left_to)
        ]
    made: list[Row] = []
    for offset in range(max(left_to - left_from, right_to - right_from)):
        old = left_from + offset if left_from + offset < left_to else None
        new = right_from + offset if right_from + offset < right_to else None
        if old is not None and new is not None:
            spans = _marked(left[old], right[new])
            made.append(Row("changed", spans[0], spans[1], old + 1, new + 1))
        elif old is not None:
            made.append(Row("removed", (Span(left[old]),), (), old + 1, None))
        elif new is not None:
            made.append(Row("added", (), (Span(right[new]),), None, new + 1))
    return made


def _marked(old: str, new: str) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Which words of two lines differ. Very long lines, and lines with little in common, are not taken apart."""
    if len(old) + len(new) > 4_000:
        return (Span(old, marked=True),), (Span(new, marked=True),)
    old_words, new_words = _words(old), _words(new)
    matcher = difflib.SequenceMatcher(None, old_words, new_words, autojunk=False)
    if matcher.quick_ratio() < 0.3:
        return (Span(old, marked=True),), (Span(new, marked=True),)
    left: list[Span] = []
    right: list[Span] = []
    for tag, left_from, left_to, right_from, right_to in matcher.get_opcodes():
        if left_from != left_to:
            left.append(Span("".join(old_words[left_from:left_to]), marked=tag != "equal"))
        if right_from != right_to:
            right.append(Span("".join(new_words[right_from:right_to]), marked=tag != "equal"))
    return tuple(left), tuple(right)


def _words(line: str) -> list[str]:
    words: list[str] = []
    for char in line:
        if words and char.isalnum() and words[-1][-1].isalnum():
            words[-1] += char
        else:
            words.append(char)
    return words
