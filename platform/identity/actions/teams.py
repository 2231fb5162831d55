from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from audit import trail
from identity import guards, membership
from identity.actions.changes import apply_values, created_changes
from identity.actions.grants import withdraw_from
from identity.models import Team, User
from identity.queries import team_path

MAX_DEPTH = 16
"""Levels of the tree, the organization included. Callers' limits and grants are looked up along the whole path."""

FIELDS = ("name", "cost_center", "rpm", "tpm", "concurrency")


@transaction.atomic
def create_team(*, actor: User | None, name: str, parent: Team | None = None, **values: Any) -> Team:
    """A team under `parent`; the first one has none and is the organization. `values` are cost_center, rpm, tpm and
    concurrency."""
    guards.require_team(actor, parent)
    if len(team_path(parent)) >= MAX_DEPTH:
        raise ValidationError({"parent": f"The tree is {MAX_DEPTH} levels deep at the most."})
    team = Team(name=name, parent=parent)
    for field, value in values.items():
        if field not in FIELDS:
            raise ValidationError(f"A team has no field {field}.")
        setattr(team, field, value)
    team.full_clean(exclude=["group"])
    team.group = Group.objects.create(name=_group_name(name))
    team.save()
    if actor is not None:
        actor.__dict__.pop("team_scope", None)  # it may reach further now
    trail.record(actor=actor, action="identity.team.create", target=team, changes=created_changes(team, ("parent", *FIELDS)))
    return team


@transaction.atomic
def update_team(*, actor: User | None, team: Team, **values: Any) -> Team:
    """Set any of name, cost_center, rpm, tpm, concurrency; `parent` moves the team as well."""
    guards.require_team(actor, Team.objects.get(pk=team.pk))
    if "parent" in values:
        move_team(actor=actor, team=team, parent=values.pop("parent"))
    changes = apply_values(team, values, allowed=FIELDS)
    if "name" in changes:
        Group.objects.filter(pk=team.group_id).update(name=_group_name(team.name))
    if changes:
        trail.record(actor=actor, action="identity.team.update", target=team, changes=changes)
    return team


@transaction.atomic
def move_team(*, actor: User | None, team: Team, parent: Team | None) -> Team:
    """Hang a team, with all below it, under another parent. Its members lose the old ancestors' grants and gain the new's.

    It takes power over the team and over the new parent: otherwise a team could be moved to where the grants are.
    """
    # Moves wait for each other on the root: two that are fine alone can close a circle together.
    list(Team.objects.select_for_update().filter(parent__isnull=True).values_list("pk"))
    stored = Team.objects.get(pk=team.pk)
    if (None if parent is None else parent.pk) == stored.parent_id:
        return team
    guards.require_team(actor, stored)
    if stored.parent_id is None or parent is None:
        raise ValidationError({"parent": "The organization is the root, and every other team has a parent."})
    guards.require_team(actor, parent)
    below = Team.subtree(team.pk)
    if parent.pk in below:
        raise ValidationError({"parent": "A team can't be moved below itself."})
    if len(team_path(Team.objects.get(pk=parent.pk))) + _height(team.pk) > MAX_DEPTH:
        raise ValidationError({"parent": f"The tree is {MAX_DEPTH} levels deep at the most."})
    old, team.parent = stored.parent, parent
    team.save(update_fields=["parent"])
    membership.sync_teams(below)
    trail.record(actor=actor, action="identity.team.move", target=team, changes={"parent": [old, parent]})
    return team


@transaction.atomic
def delete_team(*, actor: User | None, team: Team) -> None:
    """Only a team that is not the organization and that nothing refers to: no members, teams below, or things it owns."""
    guards.require_team(actor, team)
    if team.parent_id is None:
        raise ValidationError("The organization can't be deleted.")
    if team.members.exists() or team.children.exists():
        raise ValidationError("This team has members or teams below it: move them first.")
    withdraw_from(actor=actor, to=team)
    trail.record(actor=actor, action="identity.team.delete", target=team, changes={"name": [team.name, None]})
    group = team.group
    try:
        team.delete()
    except ProtectedError:
        raise ValidationError("This team owns things: give them to another team first.") from None
    group.delete()


def _height(pk: int) -> int:
    """Levels of the tree from this team down, itself included."""
    level, height = {pk}, 0
    while level:
        level, height = set(Team.objects.filter(parent_id__in=level).values_list("pk", flat=True)), height + 1
    return height


def _group_name(name: str) -> str:
    return f"team:{name}"
