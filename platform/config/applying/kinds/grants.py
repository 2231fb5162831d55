"""Grants, one resource at a time: an entry's list stands for as many grants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guardian.models import GroupObjectPermission, UserObjectPermission

from config.applying import shape
from config.applying.kind import Kind, Reference, Run
from config.applying.kinds import resources
from config.applying.reading import Stated
from identity import actions, queries
from identity.models import Team, User


class Grants(Kind[shape.Grant]):
    section, word = "grants", "grant"

    def name_of(self, entry: shape.Grant) -> str:
        return f"{entry.to} → {entry.use[0]}"

    def expand(self, stated: Stated, run: Run) -> list[Stated]:
        """The same grant listed twice is one."""
        uses = dict.fromkeys(stated.entry.use)
        return [Stated((*stated.path, "use", stated.entry.use.index(use)), shape.Grant(to=stated.entry.to, use=[use])) for use in uses]

    def references(self, entry: shape.Grant) -> Iterator[Reference]:
        kind, _, name = entry.to.partition(":")
        if kind == "team":
            yield Reference((), ("teams",), name)
        elif not User.objects.filter(username=name).exists():
            yield Reference((), ("service_accounts", "agents"), name)
        yield from resources.references(entry.use[0])

    def stored(self) -> dict[str, shape.Grant]:
        """A fixed number of queries, however many subjects there are."""
        teams = _held("team", GroupObjectPermission.objects.filter(group__team__isnull=False), "group__team__name")
        users = _held("user", UserObjectPermission.objects, "user__username")
        held = [*teams, *users]
        objects = queries.objects_behind({row for _, row in held})
        found = {}
        for to, row in held:
            if row in objects:
                entry = shape.Grant(to=to, use=[objects[row].resource_ref])
                found[self.name_of(entry)] = entry
        return dict(sorted(found.items()))

    def create(self, entry: shape.Grant, run: Run) -> None:
        actions.grant(actor=run.actor, to=_subject(entry.to), obj=resources.find(entry.use[0]))

    def update(self, entry: shape.Grant, before: shape.Grant, changed: frozenset[str], run: Run) -> None:
        """A grant has nothing that could change."""

    def remove(self, name: str, before: shape.Grant, run: Run) -> None:
        actions.withdraw(actor=run.actor, to=_subject(before.to), obj=resources.find(before.use[0]))


def _held(kind: str, permissions: Any, name_field: str) -> list[tuple[str, tuple[int, str]]]:
    rows = permissions.filter(permission__codename__startswith="use_").values_list(name_field, "content_type_id", "object_pk")
    return [(f"{kind}:{name}", (content_type, pk)) for name, content_type, pk in rows]


def _subject(to: str) -> Team | User:
    kind, _, name = to.partition(":")
    return Team.objects.get(name=name) if kind == "team" else User.objects.get(username=name)
