"""Taking an item out of service as a whole, and bringing it back."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from identity.models import User
from registry import permissions
from registry.actions.writing import note, required
from registry.catalog import index
from registry.choices import Status
from registry.errors import StateError


@transaction.atomic
def freeze(*, actor: User | None, item: Any, reason: str) -> Any:
    """Quarantine: callers are refused as soon as this is published, whatever is approved. Nothing is lost."""
    return _set(actor, item, Status.FROZEN, required(reason, "reason", "Say why: everybody who uses it is cut off."), verb="freeze")


@transaction.atomic
def retire(*, actor: User | None, item: Any, reason: str) -> Any:
    """The end of an item that others may still refer to: not served, not offered, kept with its history."""
    return _set(actor, item, Status.RETIRED, required(reason, "reason", "Say why, and what to use instead."), verb="retire")


@transaction.atomic
def reinstate(*, actor: User | None, item: Any) -> Any:
    """Undoes freezing and retiring. Takes a reviewer."""
    permissions.require_unfreeze(actor, item.owner_team)
    return _set(actor, item, Status.ACTIVE, "", verb="reinstate")


def _set(actor: User | None, item: Any, status: Status, reason: str, *, verb: str) -> Any:
    stored = type(item)._base_manager.select_for_update(of=("self",)).get(pk=item.pk)
    if status != Status.ACTIVE:
        permissions.require_change(actor, stored)
    if stored.status == status:
        raise StateError(f"{stored} is {stored.get_status_display().lower()} already.")
    before = stored.status
    stored.status = item.status = status
    stored.status_reason = item.status_reason = reason
    stored.status_at = item.status_at = timezone.now()
    stored.save(update_fields=["status", "status_reason", "status_at", "updated_at"])
    note(
        actor=actor,
        action=f"{item._meta.model_name}.{verb}",
        target=stored,
        item=stored,
        changes={"status": [before, status.value]},
        reason=reason,
    )
    index.refresh(stored)
    return stored
