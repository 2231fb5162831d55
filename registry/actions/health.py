"""What checks found. An observation and not anybody's decision: only a change of the verdict leaves an audit row."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.actions.writing import note
from registry.choices import Health

MISSES_UNTIL_DOWN = 3
"""One missed beat killed healthy agents elsewhere: it makes an item degraded, and three in a row make it down."""


@transaction.atomic
def record_health(*, item: Any, ok: bool, error: str = "", latency_ms: int | None = None) -> Any:
    """Counts a check of a server or an agent."""
    stored = type(item)._base_manager.select_for_update(of=("self",)).get(pk=item.pk)
    store(stored, ok=ok, error=error, latency_ms=latency_ms)
    for field in ("health", "checked_at", "failed_checks", "last_error", "latency_ms"):
        setattr(item, field, getattr(stored, field))
    return item


def store(item: Any, *, ok: bool, error: str = "", latency_ms: int | None = None, digest: str = "") -> None:
    """Part of the caller's transaction; the row is locked or new. `digest` is that of what it answered."""
    before = item.health
    item.checked_at = timezone.now()
    item.failed_checks = 0 if ok else item.failed_checks + 1
    item.last_error = "" if ok else error[:500]
    item.latency_ms = latency_ms if ok else None
    item.health = Health.HEALTHY if ok else Health.DOWN if item.failed_checks >= MISSES_UNTIL_DOWN else Health.DEGRADED
    item.upstream_digest = digest or item.upstream_digest
    item.save(update_fields=["health", "checked_at", "failed_checks", "last_error", "latency_ms", "upstream_digest"])
    if before != item.health and {before, item.health} & {Health.DOWN, Health.DEGRADED}:
        changes = {"health": [before, item.health], "last_error": [None, item.last_error]}
        note(actor=None, action=f"{item._meta.model_name}.health", target=item, item=item, changes=changes)
