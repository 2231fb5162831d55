"""Sums over days, grouped as asked: from rollups for the days that are done, from the ledger for today and for days that
are not. Every day comes from one of them at one moment, so nothing is missing and nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from usage.exact import ExactSum
from usage.models import Rollup, StaleDay
from usage.rollups import COUNTS, MEASURES, OF_ENTRIES, SUMS, entries_between

GROUPS: dict[str, tuple[str, ...]] = {
    "day": ("day",),
    "plane": ("plane",),
    "team": ("team_name", "team_id"),
    "principal": ("principal_name", "principal"),
    "key": ("key_name", "key_id"),
    "model": ("model",),
    "provider": ("provider",),
    "server": ("server",),
    "tool": ("server", "tool"),
    "agent": ("agent",),
}
"""What sums can be grouped by, and the columns that makes of it: names are not unique over time, numbers are."""

SORTED_UP_TO = 50_000
"""Groups that are brought into order; more are given as the database has them, in constant memory."""

OF_ROLLUPS = {**{f"{name}_sum": Sum(name) for name in COUNTS}, **{f"{name}_sum": ExactSum(name) for name in SUMS}}


@dataclass(slots=True)
class Measures:
    """What was summed. `cost` in USD leaves out the `unpriced` calls; `errors` are outcomes error and unknown. `saved` is what
    kept answers would have cost, in USD: it stands beside the cost and is never taken from it."""

    calls: int = 0
    errors: int = 0
    unpriced: int = 0
    estimated: int = 0
    input: int = 0
    cached_read: int = 0
    cache_write: int = 0
    output: int = 0
    cost: Decimal = field(default_factory=Decimal)
    saved: Decimal = field(default_factory=Decimal)

    def add(self, other: Measures) -> None:
        for name in MEASURES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Measures:
        counts = {name: row[f"{name}_sum"] or 0 for name in COUNTS}
        return cls(**counts, cost=row["cost_sum"] or Decimal(0), saved=row["saved_sum"] or Decimal(0))


@dataclass(slots=True)
class Group:
    """One row of a report: the values of the columns it is grouped by, and the sums."""

    values: tuple[Any, ...]
    measures: Measures


def columns_of(by: Sequence[str]) -> tuple[str, ...]:
    """The columns of these groups, each once. Raises KeyError for one that does not exist."""
    return tuple(dict.fromkeys(column for name in by for column in GROUPS[name]))


def today() -> date:
    return datetime.now(UTC).date()


def groups(*, first: date, last: date, by: Sequence[str], where: Q | None = None) -> Iterator[Group]:
    """Sums over the days from `first` to `last`, both included (UTC), of what `where` lets through: lookups on the
    dimensions, which ledger and rollups share. In the order of the groups' values, up to SORTED_UP_TO of them."""
    columns = columns_of(by)
    live = _live_days(first, last)
    waiting: dict[tuple[Any, ...], Measures] = {}
    for day in live:
        for group in _of_entries(day, columns, where):
            waiting.setdefault(group.values, Measures()).add(group.measures)
    found: list[Group] = []
    for group in _of_rollups(first, last, live, columns=columns, where=where):
        if (more := waiting.pop(group.values, None)) is not None:
            group.measures.add(more)
        found.append(group)
        if len(found) > SORTED_UP_TO:
            yield from found
            found.clear()
    found += [Group(values, measures) for values, measures in waiting.items()]
    found.sort(key=lambda group: tuple((value is not None, value) for value in group.values))
    yield from found


def total(*, first: date, last: date, where: Q | None = None) -> Measures:
    """One sum over all of it."""
    result = Measures()
    for group in groups(first=first, last=last, by=(), where=where):
        result.add(group.measures)
    return result


def _live_days(first: date, last: date) -> list[date]:
    """The days to be read from the ledger. Asked first: a day that is rolled up a moment later is still complete there."""
    stale = set(StaleDay.objects.filter(day__range=(first, last)).values_list("day", flat=True))
    if first <= today() <= last:
        stale.add(today())
    return sorted(stale)


def _of_entries(day: date, columns: Sequence[str], where: Q | None) -> Iterator[Group]:
    entries: QuerySet[Any] = entries_between(day, day).order_by()
    if where is not None:
        entries = entries.filter(where)
    if "day" in columns:
        entries = entries.annotate(day=TruncDate("at", tzinfo=UTC))
    return _summed(entries, columns, OF_ENTRIES)


def _of_rollups(first: date, last: date, live: Sequence[date], *, columns: Sequence[str], where: Q | None) -> Iterator[Group]:
    rollups: QuerySet[Any] = Rollup.objects.filter(day__range=(first, last)).exclude(day__in=live).order_by()
    if where is not None:
        rollups = rollups.filter(where)
    return _summed(rollups, columns, OF_ROLLUPS)


def _summed(rows: QuerySet[Any], columns: Sequence[str], sums: Mapping[str, Any]) -> Iterator[Group]:
    if not columns:
        row = rows.aggregate(**sums)
        measures = Measures.of(row)
        return iter([Group((), measures)] if measures.calls else [])
    found = rows.values(*columns).annotate(**sums).order_by(*columns).iterator(2000)
    return (Group(tuple(row[column] for column in columns), Measures.of(row)) for row in found)


def days_between(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]
