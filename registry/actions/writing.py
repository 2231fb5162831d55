"""What all actions do around their own work: write the audit row, keep the search in step, change plain fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from audit import trail
from identity.actions.changes import apply_values
from identity.models import User
from registry import permissions
from registry.catalog import index


def note(*, actor: User | None, action: str, target: Model, item: Any, changes: Mapping[str, list[Any]], **extra: Any) -> None:
    """One audit row. `extra["resource"]` names the item, so that readers of the trail need not look it up."""
    trail.record(actor=actor, action=f"registry.{action}", target=target, changes=changes, extra={"resource": item.resource_ref, **extra})


def update_item(item: Any, *, actor: User | None, action: str, values: Mapping[str, Any], allowed: Collection[str]) -> dict[str, list[Any]]:
    """Sets plain fields of an item that the actor may change. Returns what changed as [old, new]."""
    permissions.require_change(actor, item)
    if "owner_team" in values and values["owner_team"] != type(item)._base_manager.get(pk=item.pk).owner_team:
        permissions.require_team_move(actor, values["owner_team"])
    changes = apply_values(item, values, allowed=allowed)
    if changes:
        note(actor=actor, action=action, target=item, item=item, changes=changes)
        index.refresh(item)
    return changes


def required(text: str, field: str, message: str) -> str:
    """`text` without white space around it. Raises ValidationError when nothing is left."""
    text = text.strip()
    if not text:
        raise ValidationError({field: message})
    if len(text) > 2000:
        raise ValidationError({field: "Use at most 2,000 characters."})
    return text
