"""Guarded and shared reads. Nothing here writes."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Model, QuerySet

from identity.models import Team

M = TypeVar("M", bound=Model)


def team_path(team: Team | None) -> list[Team]:
    """The team and its ancestors, up to the organization. Empty for somebody without a team."""
    path: list[Team] = []
    while team is not None:
        path.append(team)
        team = team.parent
    return path
