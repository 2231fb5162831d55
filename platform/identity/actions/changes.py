"""Setting fields of a stored object and telling the audit trail what that changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

from audit import trail


def apply_values(obj: Model, values: Mapping[str, Any], *, allowed: Collection[str]) -> dict[str, list[Any]]:
    """Set `values` on `obj`, validate the whole, save what differs, and return the differences as [old, new].

    Raises ValidationError for a field that is not in `allowed` or a value that does not fit; then nothing is saved.
    """
    unknown = sorted(set(values) - set(allowed))
    if unknown:
        raise ValidationError(f"These fields can't be set: {', '.join(unknown)}.")
    stored = type(obj)._base_manager.get(pk=obj.pk)
    changes = trail.diff({name: getattr(stored, name) for name in values}, dict(values))
    for name, value in values.items():
        setattr(obj, name, value)
    if changes:
        obj.full_clean()
        obj.save(update_fields=list(changes))
    return changes


def created_changes(obj: Model, fields: Collection[str]) -> dict[str, list[Any]]:
    """What the audit row of a new object tells: the fields that are not empty."""
    return {name: [None, value] for name in fields if (value := getattr(obj, name)) not in (None, "", False)}
