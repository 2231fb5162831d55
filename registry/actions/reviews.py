"""The life of a version: submitted, approved or rejected, live, deprecated.

The rules in one place: draft → pending (`submit`) → approved | rejected; pending → draft (`withdraw`); rejected → draft
(`reopen`); approved → deprecated. An approved version stays live until another one is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from identity.models import User
from registry import permissions
from registry.actions import access
from registry.actions.live import go_live
from registry.actions.writing import note, required
from registry.catalog import index
from registry.choices import SERVED, Decision, VersionState
from registry.errors import ProblemsRemain, StateError
from registry.models import AccessRequest, Review, SkillVersion, Version
from registry.models.review import Subject
from registry.review import content


@transaction.atomic
def submit(*, actor: User | None, version: Any, note: str = "") -> Review:
    """Asks for review of a draft. Raises ProblemsRemain for a skill that breaks the format."""
    version = locked(version)
    permissions.require_change(actor, version.item)
    _require_state(version, VersionState.DRAFT, "submitted")
    if isinstance(version, SkillVersion) and version.problems:
        raise ProblemsRemain(version.problems)
    version.state = VersionState.PENDING
    version.submitted_by = actor
    version.submitted_at = timezone.now()
    version.save(update_fields=["state", "submitted_by", "submitted_at"])
    review = Review(
        kind=Subject(version.item._meta.model_name),
        subject_type=ContentType.objects.get_for_model(version),
        subject_id=version.pk,
        title=str(version)[:400],
        item_ref=version.item.resource_ref,
        owner_team=version.item.owner_team,
        requested_by=actor,
        note=note.strip()[:2000],
        digest=version.digest,
    )
    content.describe(review, version)
    review.save()
    _noted(actor, version, "submit", VersionState.DRAFT, review=review.pk)
    return review


@transaction.atomic
def withdraw(*, actor: User | None, review: Review) -> Review:
    """Takes back what was asked and not yet decided: whoever asked may, and whoever may change the item."""
    review = _pending(review)
    subject: Any = review.subject
    if actor is None or actor.pk != review.requested_by_id:
        permissions.require_change(actor, subject.item if isinstance(subject, Version) else subject.target)
    if isinstance(subject, AccessRequest):
        access.close(actor, subject, Decision.WITHDRAWN)
    else:
        version = locked(subject)
        version.state = VersionState.DRAFT
        version.save(update_fields=["state"])
        _noted(actor, version, "withdraw", VersionState.PENDING, review=review.pk)
    return _decide(actor, review, Decision.WITHDRAWN, "")


@transaction.atomic
def approve(*, actor: User | None, review: Review, reason: str = "", digest: str | None = None) -> Review:
    """What was asked comes true: a version goes live, access is granted. `digest` is what the reviewer looked at."""
    review = _pending(review)
    permissions.require_decision(actor, review)
    subject: Any = review.subject
    if isinstance(subject, AccessRequest):
        access.give(actor, subject)
        return _decide(actor, review, Decision.APPROVED, reason)
    version = locked(subject)
    _require_state(version, VersionState.PENDING, "approved")
    if version.digest != review.digest or (digest is not None and digest != review.digest):
        raise StateError("This is not what was looked at: it changed meanwhile. Read the difference again.")
    _reviewed(actor, version, VersionState.APPROVED, reason)
    decided = _decide(actor, review, Decision.APPROVED, reason)
    go_live(actor, version)
    _refresh_waiting(version.item)
    return decided


@transaction.atomic
def reject(*, actor: User | None, review: Review, reason: str) -> Review:
    """What was asked is refused; the reason is required and shown to whoever asked."""
    reason = required(reason, "reason", "Say why: whoever asked needs to know what to change.")
    review = _pending(review)
    permissions.require_decision(actor, review)
    subject: Any = review.subject
    if isinstance(subject, AccessRequest):
        access.close(actor, subject, Decision.REJECTED)
    else:
        version = locked(subject)
        _require_state(version, VersionState.PENDING, "rejected")
        _reviewed(actor, version, VersionState.REJECTED, reason)
    return _decide(actor, review, Decision.REJECTED, reason)


@transaction.atomic
def reopen(*, actor: User | None, version: Any) -> Any:
    """A rejected version becomes a draft again."""
    version = locked(version)
    permissions.require_change(actor, version.item)
    _require_state(version, VersionState.REJECTED, "reopened")
    version.state = VersionState.DRAFT
    version.save(update_fields=["state"])
    _noted(actor, version, "reopen", VersionState.REJECTED)
    return version


@transaction.atomic
def deprecate(*, actor: User | None, version: Any, reason: str) -> Any:
    """Marks an approved version as one to move away from. Where it is live it stays so, with a warning."""
    reason = required(reason, "reason", "Say why, and what to use instead: everybody who uses it reads this.")
    version = locked(version)
    permissions.require_change(actor, version.item)
    _require_state(version, VersionState.APPROVED, "deprecated")
    version.state = VersionState.DEPRECATED
    version.reason = reason
    version.save(update_fields=["state", "reason"])
    _noted(actor, version, "deprecate", VersionState.APPROVED, reason=reason)
    index.refresh(version.item)
    return version


@transaction.atomic
def make_live(*, actor: User | None, version: Any, reason: str = "") -> Any:
    """Goes back (or forward) to a version that was approved before. Takes a reviewer."""
    version = locked(version)
    permissions.require_unfreeze(actor, version.item.owner_team)
    if version.state not in SERVED:
        raise StateError(f"{version} is {version.get_state_display().lower()}: only an approved version can be live.")
    go_live(actor, version, reason=reason)
    _refresh_waiting(version.item)
    return version


@transaction.atomic
def publish(*, actor: User | None, version: Any, reason: str = "") -> Any:
    """Submits and approves in one step, for those who may do both (config files, superusers). Live already: no change."""
    version = type(version)._base_manager.get(pk=version.pk)
    if version.state in SERVED:
        return version
    if version.state == VersionState.REJECTED:
        version = reopen(actor=actor, version=version)
    if version.state == VersionState.DRAFT:
        review = submit(actor=actor, version=version)
    else:
        review = Review.objects.get(
            subject_type=ContentType.objects.get_for_model(version), subject_id=version.pk, decision=Decision.PENDING
        )
    approve(actor=actor, review=review, reason=reason)
    version.refresh_from_db()
    return version


def cancel(actor: User | None, version: Any, *, reason: str) -> None:
    """Closes the pending reviews of a version that is about to go; part of the caller's transaction."""
    for review in Review.objects.filter(
        subject_type=ContentType.objects.get_for_model(version), subject_id=version.pk, decision=Decision.PENDING
    ):
        _decide(actor, review, Decision.WITHDRAWN, reason)


def locked(version: Any) -> Any:
    """The version as stored now, its item locked first: two decisions about one item wait for each other."""
    item_field = type(version).item_field
    item_model = type(version)._meta.get_field(item_field).related_model
    item_model._base_manager.select_for_update(of=("self",)).get(pk=getattr(version, f"{item_field}_id"))
    return type(version)._base_manager.select_related(item_field, f"{item_field}__owner_team").get(pk=version.pk)


def _pending(review: Review) -> Review:
    review = Review.objects.select_for_update(of=("self",)).get(pk=review.pk)
    if not review.is_pending:
        raise StateError(f"This was decided already: {review.get_decision_display().lower()}.")
    if review.subject is None:
        raise StateError("What this was about is gone.")
    return review


def _require_state(version: Version, wanted: VersionState, verb: str) -> None:
    if version.state != wanted:
        raise StateError(
            f"{version} is {version.get_state_display().lower()}: only a version that is {wanted.label.lower()} can be {verb}."
        )


def _reviewed(actor: User | None, version: Any, state: VersionState, reason: str) -> None:
    version.state = state
    version.reviewed_by = actor
    version.reviewed_at = timezone.now()
    version.reason = reason.strip()
    version.save(update_fields=["state", "reviewed_by", "reviewed_at", "reason"])
    _noted(actor, version, "approve" if state == VersionState.APPROVED else "reject", VersionState.PENDING, reason=version.reason)


def _decide(actor: User | None, review: Review, decision: Decision, reason: str) -> Review:
    if len(reason) > 2000:
        raise ValidationError({"reason": "Use at most 2,000 characters."})
    review.decision = decision
    review.decided_by = actor
    review.decided_at = timezone.now()
    review.reason = reason.strip()
    review.save(update_fields=["decision", "decided_by", "decided_at", "reason"])
    return review


def _noted(actor: User | None, version: Any, verb: str, before: VersionState, **extra: Any) -> None:
    item = version.item
    note_action = f"{item._meta.model_name}.{verb}"
    note(
        actor=actor,
        action=note_action,
        target=version,
        item=item,
        changes={"state": [before.value, version.state]},
        version=version.version,
        **extra,
    )
    if item.live_version_id is None:
        index.refresh(item)


def _refresh_waiting(item: Any) -> None:
    """What still waits is compared with what is live now."""
    waiting: Iterable[Any] = item.versions.filter(state=VersionState.PENDING)
    for version in waiting:
        for review in Review.objects.filter(
            subject_type=ContentType.objects.get_for_model(version), subject_id=version.pk, decision=Decision.PENDING
        ):
            content.describe(review, version)
            review.save(update_fields=["difference", "findings", "risk"])
