"""A change list in the order of the tree: children below their parent, indented, siblings by name."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from unfold.views import ChangeList

from identity.models import Team


class TreeChangeList(ChangeList):
    """Orders in memory: teams are few, and a tree's order is not one that an index has."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        nodes: dict[int, tuple[int | None, str]] = {
            pk: (parent, name) for pk, parent, name in Team.objects.values_list("pk", "parent_id", "name")
        }
        shown = set(self.queryset.values_list("pk", flat=True))
        order = sorted(shown, key=lambda pk: [nodes[step][1] for step in _path(nodes, pk)])
        if not self.show_all:
            first = (self.page_num - 1) * self.list_per_page
            order = order[first : first + self.list_per_page]
        rows = {team.pk: team for team in self.queryset.filter(pk__in=order)}
        for pk, team in rows.items():
            team.depth = sum(step in shown for step in _path(nodes, pk)) - 1
        self.result_list: Any = [rows[pk] for pk in order if pk in rows]


def _path(nodes: dict[int, tuple[int | None, str]], pk: int) -> list[int]:
    """From the root down to the node."""
    path: list[int] = []
    at: int | None = pk
    while at is not None and at not in path:
        path.insert(0, at)
        at = nodes[at][0]
    return path
