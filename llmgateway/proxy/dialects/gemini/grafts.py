"""Puts what had no slot back where it stood, into a body that is written for the dialect it came in."""

from __future__ import annotations

import re

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.gemini.reading import camel

_STEP = re.compile(r"\.?([A-Za-z_$@][A-Za-z0-9_$@-]*)|\[([0-9]+)\]")


def steps(path: str) -> list[str | int] | None:
    """The names and places of a path, None where it holds a name that could be taken for a path."""
    found: list[str | int] = []
    end = 0
    while end < len(path):
        match = _STEP.match(path, end)
        if match is None:
            return None
        found.append(match[1] if match[1] is not None else int(match[2]))
        end = match.end()
    return found


def graft(body: dict[str, Json], path: str, value: Json, *, placed: dict[str, dict[str, Json]]) -> bool:
    """False where the place is no longer there. `placed` are objects of the body by the paths at which they came."""
    head = next((path[:end] for end in _ends(path) if path[:end] in placed), "")
    way = steps(path[len(head) :].removeprefix("."))
    if not way:
        return False
    here: Json = placed[head] if head else body
    for step in way[:-1]:
        here = _descend(here, step)
        if here is None:
            return False
    last = way[-1]
    if not isinstance(here, dict) or not isinstance(last, str):
        return False
    name = last if last in here or camel(last) not in here else camel(last)
    here[name] = value
    return True


def _ends(path: str) -> list[int]:
    """Where a prefix of the path may end, the longest first."""
    return [place for place in range(len(path) - 1, 0, -1) if path[place] in ".["]


def _descend(here: Json, step: str | int) -> Json:
    """The object or list at a step; an object that nothing was written into yet is made."""
    if isinstance(step, int):
        return here[step] if isinstance(here, list) and step < len(here) else None
    if not isinstance(here, dict):
        return None
    name = step if step in here else camel(step)
    return here.setdefault(name, {})
