"""The audit trail's tables: events that are only ever added, and the head of their hash chain."""

from __future__ import annotations

from typing import Any, NoReturn

from django.db import models


class AppendOnly(Exception):
    """Somebody tried to change or delete what was written down."""


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    """Reads only. Rows are added by `trail.record`, which is the only place that may call `append`."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("audit events are added through audit.trail.record and never changed")

    update = delete = create = bulk_create = bulk_update = get_or_create = update_or_create = _refuse


class AuditEvent(models.Model):
    """One audited change. `id` is its position in the chain, from 1 and without gaps, in the order of commits.

    `changes` maps a field to [old, new]; secrets are never in it. `actor_ref` is a subject (`user:7`) or `system`.
    Target and actor are kept as text: both may be gone when this is read.
    """

    id = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    actor_ref = models.CharField(max_length=64, db_index=True)
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=100, db_index=True)
    target_type = models.CharField(max_length=100)
    target_id = models.CharField(max_length=100)
    target_label = models.CharField(max_length=200)
    changes = models.JSONField(default=dict)
    extra = models.JSONField(default=dict)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = AuditQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"
        ordering = ("-id",)
        indexes = (models.Index(fields=["target_type", "target_id"], name="audit_target"),)

    def __str__(self) -> str:
        return f"{self.action} {self.target_label}"

    def save(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("audit events are added through audit.trail.record and never changed")

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("audit events are never deleted")

    def append(self) -> None:
        """Insert this event. Only `trail.record` calls it, holding the chain's head."""
        super().save(force_insert=True)


class ChainHead(models.Model):
    """How long the chain is and where it ends. Whoever holds this row's lock may add the next event."""

    SINGLETON = 1

    length = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(pk=1), name="audit_single_head"),)

    def __str__(self) -> str:
        return f"{self.length}:{self.hash}"
