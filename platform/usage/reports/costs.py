"""The cost report: a month's calls and their cost, grouped as asked, for as much of the house as its reader may see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Q

from usage import queries, totals
from usage.totals import Group, Measures

DEFAULT_GROUPS = ("team", "model")
FILTERS = ("plane", "team", "principal", "key", "model", "provider", "server", "tool", "agent")
FORMATS = ("json", "csv", "xlsx")
NOT_YET = ("parquet", "focus")

HEADINGS = {
    "team_name": "team",
    "principal_name": "principal",
    "principal": "principal_ref",
    "key_name": "key",
}
"""Columns that a report names otherwise than the ledger."""

COUNTS = ("calls", "errors", "unpriced", "estimated", "input", "cached_read", "cache_write", "output")
MEASURES = (*COUNTS, "cost")


class BadReport(ValueError):
    """What was asked for can't be given; `field` names the parameter."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(slots=True)
class CostReport:
    """`totals` are summed while `rows` is read, so they are exactly the sum of what was given out."""

    month: date
    by: tuple[str, ...]
    filters: dict[str, str]
    where: Q
    generated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    totals: Measures = field(default_factory=Measures)
    count: int = 0

    @property
    def period(self) -> str:
        return f"{self.month:%Y-%m}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Headings of the groups' values."""
        return tuple(HEADINGS.get(column, column) for column in totals.columns_of(self.by))

    @property
    def filename(self) -> str:
        """Without an ending. Says what is in it."""
        parts = ["costs", self.period, *(["by", *self.by] if self.by else []), *(f"{name}={value}" for name, value in self.filters.items())]
        return re.sub(r"[^A-Za-z0-9._=-]+", "_", "-".join(parts))[:150]

    def rows(self) -> Iterator[Group]:
        """Read once."""
        first, last = queries.month_days(self.month)
        self.totals, self.count = Measures(), 0
        for group in totals.groups(first=first, last=last, by=self.by, where=self.where):
            self.totals.add(group.measures)
            self.count += 1
            yield group

    def about(self) -> list[tuple[str, str]]:
        """What somebody who finds the file has to know to read it."""
        first, last = queries.month_days(self.month)
        return [
            ("report", "Costs"),
            ("period", self.period),
            ("from", f"{first} 00:00 UTC"),
            ("until", f"{last} 24:00 UTC"),
            ("time zone", "UTC"),
            ("currency", "USD"),
            ("grouped by", ", ".join(self.by) or "nothing"),
            ("filters", ", ".join(f"{name} = {value}" for name, value in self.filters.items()) or "none"),
            ("generated at", self.generated_at.strftime("%Y-%m-%d %H:%M:%S UTC")),
            ("note", "cost leaves out calls of which no price is known (unpriced); estimated calls ended without the provider's count"),
            ("savings", "saved is what answers of before would have cost, had they been made anew; it is not part of cost"),
        ]


def parse(params: Mapping[str, str], *, user: Any) -> CostReport:
    """A report of what the parameters ask for and the user may see. Raises BadReport."""
    filters = {name: value for name in FILTERS if (value := params.get(name, "").strip())}
    return CostReport(
        month=_month(params.get("period", "")),
        by=_groups(params.get("group_by")),
        filters=filters,
        where=queries.visible(user) & _filter(filters),
    )


def parse_format(name: str) -> str:
    """Raises BadReport for one that is not offered."""
    offered = f"Offered are {', '.join(FORMATS)}."
    if name in NOT_YET:
        raise BadReport("format", f"{name} is not offered yet. {offered}")
    if name not in FORMATS:
        raise BadReport("format", f"There is no format {name[:40]!r}. {offered}")
    return name


def _month(text: str) -> date:
    if not text:
        return totals.today().replace(day=1)
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
        raise BadReport("period", f"Expected a month such as 2026-11, not {text[:40]!r}.")
    year, month = int(text[:4]), int(text[5:])
    if not (2000 <= year <= 2199 and 1 <= month <= 12):
        raise BadReport("period", f"There is no month {text}.")
    return date(year, month, 1)


def _groups(text: str | None) -> tuple[str, ...]:
    if text is None:
        return DEFAULT_GROUPS
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in totals.GROUPS:
            raise BadReport("group_by", f"A report can't be grouped by {name[:40]!r}. It can by {', '.join(totals.GROUPS)}.")
    return names


def _filter(filters: Mapping[str, str]) -> Q:
    exact = {("principal_name" if name == "principal" else name): value for name, value in filters.items()}
    return queries.named(**exact)
