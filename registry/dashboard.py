"""The overview's panels about the catalog: what waits for a decision, and which servers and agents do not answer."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.timesince import timesince

from adminkit.dashboard import SHOWN, Ailing, Context, Panel, register, register_ailing
from identity.queries import visible_to
from registry.choices import Decision, Health, Status
from registry.models import Agent, Review, Server

STATES = {Health.DEGRADED: "is-warn", Health.DOWN: "is-bad"}


def register_panels() -> None:
    register(Panel("reviews", "admin/dashboard/attention.html", reviews, order=30, width=4))
    register_ailing(ailing)


def reviews(request: HttpRequest) -> Context:
    """The oldest first: who waits longest is served first."""
    pending = visible_to(Review.objects.filter(decision=Decision.PENDING), request.user).select_related("requested_by").order_by("id")
    count = pending.count()
    rows = [
        {
            "name": review.title,
            "note": f"asked by {review.requested_by}" if review.requested_by else "",
            "when": timesince(review.requested_at).split(",")[0],
            "href": reverse("admin:registry_review_change", args=[review.pk]),
            "state": ("", "is-ok", "is-warn", "is-bad")[min(review.risk, 3)],
            "word": review.get_risk_display(),
        }
        for review in pending[:SHOWN]
    ]
    return {
        "title": f"Waiting for review ({count})" if count else "Waiting for review",
        "rows": rows,
        "more": max(0, count - SHOWN),
        "all": reverse("admin:registry_review_changelist"),
        "nothing": "Nothing waits. What teams submit, and what changes at a server or an agent, appears here.",
    }


def ailing(user: Any) -> list[Ailing]:
    return [*_sick(Server, "MCP server", user), *_sick(Agent, "agent", user)]


def _sick(model: type[Server] | type[Agent], word: str, user: Any) -> list[Ailing]:
    found: Any = visible_to(model.objects.filter(status=Status.ACTIVE, health__in=STATES), user).order_by("slug")[:50]
    return [
        Ailing(
            name=item.slug,
            note=f"{word}: {item.last_error or 'it does not answer'}"[:160],
            href=reverse(f"admin:registry_{item._meta.model_name}_change", args=[item.pk]),
            state=STATES[Health(item.health)],
            word=item.get_health_display(),
            when=timesince(item.checked_at).split(",")[0] if item.checked_at else "",
        )
        for item in found
    ]
