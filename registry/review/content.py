"""Fills in what a review shows, by the kind of what is proposed."""

from __future__ import annotations

from typing import Any

from registry.models import AgentVersion, Review, ServerVersion, SkillVersion
from registry.review import agents, servers, skills
from registry.review.findings import Finding, ranked, worst

_BY_KIND: dict[type, Any] = {ServerVersion: servers, AgentVersion: agents, SkillVersion: skills}


def describe(review: Review, version: Any) -> None:
    """Sets difference, findings and risk of a review from its version and what is live now. Saves nothing."""
    rules = _BY_KIND[type(version)]
    live = version.item.live_version
    found: list[Finding] = ranked(rules.findings(version, live))
    review.difference = rules.difference(version, live)
    review.findings = found
    review.risk = worst(found)
