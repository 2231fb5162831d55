"""Fills in what a review shows, by the kind of what is proposed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from registry.choices import Risk
from registry.models import AgentVersion, Review, ServerVersion, SkillVersion
from registry.review import agents, servers, skills
from registry.review.difference import Part
from registry.review.findings import Finding, finding, ranked, worst

_BY_KIND: dict[type, Any] = {ServerVersion: servers, AgentVersion: agents, SkillVersion: skills}


def describe(review: Review, version: Any) -> None:
    """Sets difference, findings and risk of a review from its version and what is live now. Saves nothing."""
    rules = _BY_KIND[type(version)]
    live = version.item.live_version
    review.difference = rules.difference(version, live)
    found: list[Finding] = ranked(chain(rules.findings(version, live), _unseen(review.difference)))
    review.findings = found
    review.risk = worst(found)


def _unseen(parts: list[Part]) -> Iterator[Finding]:
    """Nobody should approve what they were not shown without knowing it."""
    for part in parts:
        if part["cut"]:
            yield finding(Risk.WARNING, "not-shown", part["part"], "Is too large to be shown whole: look at it at its source.")
