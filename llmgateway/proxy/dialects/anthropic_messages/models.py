"""What the generations of Claude take, read off a model's name. The API refuses what a generation does not take, and one
wire serves them all.

Sources: Anthropic's model pages and migration guides as of November 2026. Budgets of thinking end with 4.6 and sampling
parameters with it; effort begins with Opus 4.5, adaptive thinking with 4.6, system messages inside the conversation with
4.8. A name without a version is a new one; a model that is no Claude is asked as the oldest wire allows.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_CLAUDE = re.compile(
    r"claude-(?:(?P<old>\d{1,2})(?:[-.](?P<older>\d{1,2}))?-)?(?P<family>[a-z]+)(?:-(?P<major>\d{1,2})(?!\d)(?:[-.](?P<minor>\d{1,2})(?!\d))?)?"
)
_NEWEST = (99, 0)

LEVELS = ("low", "medium", "high", "xhigh", "max")


class Abilities(NamedTuple):
    """`levels` are the efforts it takes, () when none. `samplers` is how many of temperature and top_p may be set at once;
    with 0 top_k is refused too. `most` is a maximum of output that the generation certainly takes."""

    levels: tuple[str, ...]
    adaptive: bool
    budget: bool
    samplers: int
    system_turns: bool
    most: int


def _version(model: str) -> tuple[tuple[int, int], str] | None:
    found = _CLAUDE.search(model.lower())
    if found is None:
        return None
    major, minor = found["major"] or found["old"], found["minor"] if found["major"] else found["older"]
    return ((int(major), int(minor or 0)) if major else _NEWEST), found["family"]


def _levels(version: tuple[int, int], family: str) -> tuple[str, ...]:
    if version >= (4, 7):
        return LEVELS
    if version >= (4, 6):
        return ("low", "medium", "high", "max")
    return LEVELS[:3] if version == (4, 5) and family == "opus" else ()


def _most(version: tuple[int, int]) -> int:
    if version >= (3, 7):
        return 32_000
    return 8_192 if version >= (3, 5) else 4_096


def abilities(model: str) -> Abilities:
    read = _version(model)
    if read is None:
        return Abilities((), adaptive=False, budget=True, samplers=2, system_turns=False, most=8_192)
    version, family = read
    samplers = 0 if version >= (4, 7) else 1 if version >= (4, 1) else 2
    return Abilities(
        _levels(version, family),
        adaptive=version >= (4, 6),
        budget=version < (4, 7),
        samplers=samplers,
        system_turns=version >= (4, 8),
        most=_most(version),
    )
