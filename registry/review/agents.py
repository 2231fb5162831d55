"""What a reviewer of an agent's card is shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from registry import canonical
from registry.choices import Risk
from registry.models import AgentVersion
from registry.review.difference import Part, bounded, compare, readable
from registry.review.findings import Finding, finding, strings_of, text_findings

MAX_DESCRIPTION = 4_000
"""Longer ones were, in the field, whole system prompts published by mistake."""


def difference(proposed: AgentVersion, live: AgentVersion | None) -> list[Part]:
    old_card, new_card = _card(live), _card(proposed)
    return bounded([*compare("card", _about(old_card), _about(new_card)), *compare("skill", _skills(old_card), _skills(new_card))])


def _card(version: AgentVersion | None) -> dict[str, Any]:
    card: dict[str, Any] = canonical.parse(bytes(version.card)) if version else {}
    return card


def _about(card: dict[str, Any]) -> dict[str, str]:
    return {"card": readable({name: value for name, value in card.items() if name != "skills"})} if card else {}


def _skills(card: dict[str, Any]) -> dict[str, str]:
    skills = card.get("skills")
    return {
        str(skill.get("id") or skill.get("name") or number): readable(skill)
        for number, skill in enumerate(skills if isinstance(skills, list) else [])
        if isinstance(skill, dict)
    }


def findings(proposed: AgentVersion, live: AgentVersion | None) -> Iterator[Finding]:
    before = "\n".join(strings_of(_card(live))) if live else None
    yield from text_findings("card", "\n".join(strings_of(_card(proposed))), before=before)
    if len(proposed.parsed["description"]) > MAX_DESCRIPTION:
        yield finding(Risk.WARNING, "long-description", "card", "The description is very long: it may hold the agent's own instructions.")
    home, there = urlsplit(proposed.card_url), urlsplit(proposed.url)
    if home.hostname != there.hostname:
        yield finding(Risk.WARNING, "elsewhere", "card", f"The card is at {home.netloc}, calls go to {there.netloc}.")
    if live is not None:
        yield from _changes(proposed, live)


def _changes(proposed: AgentVersion, live: AgentVersion) -> Iterator[Finding]:
    old, new = urlsplit(live.url), urlsplit(proposed.url)
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        yield finding(Risk.DANGER, "other-host", "card", f"Calls move from {old.netloc} to {new.netloc}.")
    if live.parsed["signed"] and not proposed.parsed["signed"]:
        yield finding(Risk.DANGER, "unsigned", "card", "The card was signed and is not any more.")
    dropped = sorted(set(live.parsed["security"]) - set(proposed.parsed["security"]))
    if dropped:
        yield finding(Risk.WARNING, "security-dropped", "card", f"No longer asks for {', '.join(dropped)}.")
    if live.protocol_version != proposed.protocol_version:
        yield finding(Risk.WARNING, "protocol", "card", f"Speaks A2A {proposed.protocol_version} instead of {live.protocol_version}.")
    if live.parsed["description"] != proposed.parsed["description"]:
        yield finding(Risk.WARNING, "description-changed", "card", "Describes itself differently: callers choose agents by this text.")
    was, now = ({skill["id"] for skill in version.parsed["skills"]} for version in (live, proposed))
    for skill in sorted(was - now):
        yield finding(Risk.WARNING, "skill-gone", f"skill {skill}", "Is gone.")
    for skill in sorted(now - was):
        yield finding(Risk.NOTE, "skill-new", f"skill {skill}", "Is new.")
