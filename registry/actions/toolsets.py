"""Toolsets: which tools of which servers one address offers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from identity.models import Team, User
from registry import permissions
from registry.actions.writing import note, update_item
from registry.catalog import index
from registry.models import Server, Toolset
from registry.names import TOOL_PATTERN

FIELDS = ("name", "description", "owner_team", "discoverable", "members")
MAX_MEMBERS = 500


@transaction.atomic
def create_toolset(
    *, actor: User | None, slug: str, members: Sequence[str], name: str = "", owner_team: Team | None = None, **values: Any
) -> Toolset:
    """`members` are patterns `server/tool` or `server/*`. `values` are description and discoverable."""
    permissions.require_add(actor, Toolset, owner_team)
    toolset = Toolset(slug=slug, name=name or slug, owner_team=owner_team, members=clean_members(actor, members))
    for field, value in values.items():
        if field not in FIELDS:
            raise ValidationError(f"A toolset has no field {field}.")
        setattr(toolset, field, value)
    toolset.full_clean()
    if Server.objects.filter(slug=slug).exists():
        raise ValidationError({"slug": "A server has this address already."})
    toolset.save()
    changes = {"slug": [None, slug], "members": [None, toolset.members]}
    note(actor=actor, action="toolset.create", target=toolset, item=toolset, changes=changes)
    index.refresh(toolset)
    return toolset


@transaction.atomic
def update_toolset(*, actor: User | None, toolset: Toolset, **values: Any) -> Toolset:
    if "members" in values:
        values["members"] = clean_members(actor, values["members"])
    update_item(toolset, actor=actor, action="toolset.update", values=values, allowed=FIELDS)
    return toolset


def clean_members(actor: User | None, members: Sequence[str]) -> list[str]:
    """Each pattern once, in the order given. Raises ValidationError for what is no pattern or names an unknown server.

    A toolset hands on the use of its tools: whoever puts a server's tools into one may change that server.
    """
    if not isinstance(members, list | tuple) or not members or not all(isinstance(member, str) for member in members):
        raise ValidationError({"members": "List at least one pattern, such as weather/get_forecast or tracker/*."})
    if len(members) > MAX_MEMBERS:
        raise ValidationError({"members": f"List at most {MAX_MEMBERS} patterns; use server/* for all tools of a server."})
    cleaned = list(dict.fromkeys(member.strip() for member in members))
    slugs = set()
    for member in cleaned:
        match = TOOL_PATTERN.fullmatch(member)
        if match is None:
            raise ValidationError({"members": f"{member!r} is neither server/tool nor server/*."})
        slugs.add(match["server"])
    servers = {server.slug: server for server in Server.objects.filter(slug__in=slugs)}
    for slug in sorted(slugs):
        if slug not in servers or not permissions.may_change(actor, servers[slug]):
            raise ValidationError({"members": f"There is no server {slug!r} whose tools you may hand on."})
    return cleaned
