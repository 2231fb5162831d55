"""Making the sums of a day. Incremental: a day is made anew when entries came for it since it was made."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from usage.exact import ExactSum
from usage.models import LedgerEntry, RolledDay, Rollup, StaleDay
from usage.models.ledger import Dimensions

DIMENSIONS = tuple(field.attname for field in Dimensions._meta.get_fields() if hasattr(field, "attname"))
COUNTS = ("calls", "errors", "unpriced", "estimated", "input", "cached_read", "cache_write", "output")
SUMS = ("cost", "saved")
MEASURES = (*COUNTS, *SUMS)

FAILED = ("error", "unknown")

OF_ENTRIES = {
    "calls_sum": Count("pk"),
    "errors_sum": Count("pk", filter=Q(outcome__in=FAILED)),
    "unpriced_sum": Count("pk", filter=Q(cost=None)),
    "estimated_sum": Count("pk", filter=Q(estimated=True)),
    **{f"{name}_sum": Sum(name) for name in ("input", "cached_read", "cache_write", "output")},
    **{f"{name}_sum": ExactSum(name) for name in SUMS},
}
"""What is summed of ledger entries: a measure's name with `_sum`, since an annotation may not be named like a column."""


def bounds(day: date) -> tuple[datetime, datetime]:
    """First moment of the day and of the next one, UTC."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return start, start + timedelta(days=1)


def entries_between(first: date, last: date) -> QuerySet[Any]:
    """Ledger entries of these days, both included."""
    return LedgerEntry.objects.filter(at__gte=bounds(first)[0], at__lt=bounds(last)[1])


def roll_up_stale(*, before: date | None = None, at_most: int = 400) -> list[date]:
    """Makes every day anew that has entries its rollup does not know, oldest first; only days before `before` if given."""
    days = StaleDay.objects.order_by("day")
    if before is not None:
        days = days.filter(day__lt=before)
    made = list(days.values_list("day", flat=True).distinct()[:at_most])
    for day in made:
        roll_up(day)
    return made


@transaction.atomic
def roll_up(day: date) -> int:
    """Makes the day's rollup from the ledger; how many rows it has. Idempotent. Two at once wait for each other.

    The marks are read before the sums: an entry that comes in between has a mark of its own that stays."""
    RolledDay.objects.get_or_create(day=day)
    rolled = RolledDay.objects.select_for_update().get(day=day)
    marks = list(StaleDay.objects.filter(day=day).values_list("pk", flat=True))
    rows = [_row(day, found) for found in entries_between(day, day).order_by().values(*DIMENSIONS).annotate(**OF_ENTRIES).iterator(2000)]
    Rollup.objects.filter(day=day).delete()
    Rollup.objects.bulk_create(rows, batch_size=500)
    for start in range(0, len(marks), 500):
        StaleDay.objects.filter(pk__in=marks[start : start + 500]).delete()
    rolled.entries, rolled.rolled_at = sum(row.calls for row in rows), timezone.now()
    rolled.save(update_fields=["entries", "rolled_at"])
    return len(rows)


def _row(day: date, found: dict[str, Any]) -> Rollup:
    dimensions = {name: found[name] for name in DIMENSIONS}
    measures = {name: found[f"{name}_sum"] or 0 for name in MEASURES}
    digest = sha256("\x1f".join("" if value is None else str(value) for value in dimensions.values()).encode()).hexdigest()
    return Rollup(day=day, digest=digest, **dimensions, **measures)
