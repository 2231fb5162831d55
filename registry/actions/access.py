"""Requests of access, from the catalog's button to the grant."""

from __future__ import annotations

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction

from identity import actions as identity
from identity.models import Team, User
from identity.queries import holds, team_path
from registry.actions.writing import note, required
from registry.choices import Decision, Kind
from registry.models import AccessRequest, Review
from registry.models.review import Subject


@transaction.atomic
def request_access(*, actor: User, target: Any, purpose: str, team: Team | None = None) -> Review:
    """`actor` asks to use `target`, for themselves or for their `team`. Whether they may see it is the caller's check."""
    purpose = required(purpose, "purpose", "Say what you need it for: whoever decides goes by this.")
    if team is not None and team.pk not in {one.pk for one in team_path(actor.team)}:
        raise PermissionDenied("You can ask for yourself, or for a team that you are in.")
    if holds(team or actor, target):
        raise ValidationError("This was granted already.")
    kind = ContentType.objects.get_for_model(target)
    if AccessRequest.objects.filter(requester=actor, target_type=kind, target_id=target.pk, state=Decision.PENDING).exists():
        raise ValidationError("You asked for this already; it waits to be decided.")
    request = AccessRequest.objects.create(
        requester=actor, team=team, target_type=kind, target_id=target.pk, item_ref=target.resource_ref, purpose=purpose
    )
    review = Review.objects.create(
        kind=Subject.ACCESS,
        subject_type=ContentType.objects.get_for_model(request),
        subject_id=request.pk,
        title=f"{team or actor} · {target.resource_ref}"[:400],
        item_ref=target.resource_ref,
        owner_team=_owner_of(target),
        requested_by=actor,
        note=purpose,
    )
    changes = {"state": [None, request.state], "for": [None, str(team or actor)]}
    note(actor=actor, action="access.request", target=request, item=request, changes=changes, review=review.pk)
    return review


def give(actor: User | None, request: AccessRequest) -> None:
    """Grants what was asked for; part of the caller's transaction. The approval is the system's to carry out."""
    if not request.requester.is_active:
        raise ValidationError("Whoever asked is not active any more.")
    identity.grant(actor=None, to=request.team or request.requester, obj=request.target)
    close(actor, request, Decision.APPROVED)


def close(actor: User | None, request: AccessRequest, decision: Decision) -> None:
    """Part of the caller's transaction."""
    before = request.state
    request.state = decision
    request.save(update_fields=["state"])
    action = {Decision.APPROVED: "access.approve", Decision.REJECTED: "access.reject", Decision.WITHDRAWN: "access.withdraw"}[decision]
    note(actor=actor, action=action, target=request, item=request, changes={"state": [before, request.state]})


def _owner_of(target: Any) -> Team | None:
    """The team that answers for what is asked for; a tool's is its server's."""
    holder = target.server if target._meta.model_name == Kind.TOOL else target
    team: Team | None = getattr(holder, "owner_team", None)
    return team
