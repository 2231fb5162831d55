"""A person's own requests of access."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType

from registry.choices import Decision
from registry.models import AccessRequest, Review

LISTED = 100


def asked_by(user: Any) -> list[dict[str, Any]]:
    """Newest first, each with the review that decides it."""
    asked = list(AccessRequest.objects.filter(requester=user).select_related("team")[:LISTED])
    kind = ContentType.objects.get_for_model(AccessRequest)
    reviews = Review.objects.filter(subject_type=kind, subject_id__in=[row.pk for row in asked]).select_related("decided_by").order_by("id")
    by_request = {review.subject_id: review for review in reviews}
    return [{"asked": row, "review": by_request.get(row.pk)} for row in asked]


def pending_review_of(user: Any, pk: int) -> Review | None:
    """The review of one's own request, None when it is somebody else's or decided."""
    if not AccessRequest.objects.filter(pk=pk, requester=user).exists():
        return None
    kind = ContentType.objects.get_for_model(AccessRequest)
    return Review.objects.filter(subject_type=kind, subject_id=pk, decision=Decision.PENDING).first()
