"""What the pages of a model show beside its form: routes, prices, who may use it, how to call it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from guardian.shortcuts import get_groups_with_perms, get_users_with_perms

from adminkit.permissions import visible
from identity.models import Team, User
from llmgateway.choices import Strategy
from llmgateway.models import Deployment, Model
from llmgateway.prices import UNPRICED, PriceBook, PriceTag
from llmgateway.snippets import served_by, snippets
from llmgateway.traffic import months_of

LISTED = 50
"""Holders of a grant that the page names; the rest is told as a number."""


@dataclass(frozen=True, slots=True)
class Route:
    """A deployment as people read it. `percent` is its share of the calls of its priority, None when the strategy decides."""

    deployment: Deployment
    percent: float | None
    first: bool

    @property
    def label(self) -> str:
        return str(self.deployment)

    @property
    def off(self) -> bool:
        return not (self.deployment.enabled and self.deployment.provider.enabled)


def routes(model: Model) -> dict[int, Route]:
    """Routes by the deployment's primary key, in the order in which they are tried."""
    rows = list(model.deployments.all())
    totals: dict[int, int] = defaultdict(int)
    for row in rows:
        if row.enabled and row.provider.enabled:
            totals[row.priority] += row.weight
    first = min(totals, default=0)
    return {row.pk: Route(row, _percent(model, row, totals), row.priority == first) for row in rows}


def _percent(model: Model, row: Deployment, totals: dict[int, int]) -> float | None:
    if not (row.enabled and row.provider.enabled):
        return 0.0
    if model.strategy != Strategy.WEIGHTED:
        return None
    return round(100 * row.weight / total, 1) if (total := totals[row.priority]) else 0.0


def tags_of(rows: Iterable[Deployment], book: PriceBook) -> list[tuple[Deployment, PriceTag]]:
    """Every deployment with its price."""
    return [(row, book.tag_of(row)) for row in rows]


def model_panels(user: Any, model: Model, *, base_url: str) -> dict[str, Any]:
    """Context of templates/llmgateway/model_banner.html and model_panels.html."""
    rows = list(model.deployments.all())
    tags = tags_of(rows, PriceBook(rows))
    callable_routes = [route for route in routes(model).values() if not route.off]
    return {
        "tags": tags,
        "unpriced": [row for row, tag in tags if tag.source == UNPRICED],
        "routes": list(routes(model).values()),
        "callable": bool(callable_routes) and model.enabled,
        "snippets": snippets(served_by(model, [route.deployment for route in callable_routes], base_url=base_url)),
        "holders": _holders(model, user),
        "used_by": visible(Model.objects.filter(fallback_steps__target=model), user).order_by("name"),
        "month": months_of([model.name], user).get(model.name),
    }


def _holders(model: Model, user: Any) -> dict[str, Any]:
    """Teams and users that hold `use_model` on this model, as far as this user may see them."""
    groups = get_groups_with_perms(model, only_with_perms_in=["use_model"])
    teams = visible(Team.objects.filter(group__in=groups), user).order_by("name")
    people = get_users_with_perms(model, with_group_users=False, only_with_perms_in=["use_model"])
    users = visible(User.objects.filter(pk__in=people.values("pk")), user).order_by("username")
    more = max(0, teams.count() - LISTED) + max(0, users.count() - LISTED)
    return {"teams": teams[:LISTED], "users": users[:LISTED], "more": more}
