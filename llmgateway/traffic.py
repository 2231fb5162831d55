"""Calls and cost of models over the last thirty days, from the usage app's rollups, shaped for small charts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.db.models import Sum
from django.utils import timezone

from adminkit.permissions import visible
from usage.exact import ExactSum
from usage.models import Rollup

DAYS = 30
TALLEST = 100


@dataclass(frozen=True, slots=True)
class Day:
    """`top` and `height` place the bar in a chart that is 100 high."""

    date: date
    calls: int
    cost: Decimal
    height: float

    @property
    def top(self) -> float:
        return TALLEST - self.height

    @property
    def cost_text(self) -> str:
        return dollars(self.cost)


@dataclass(frozen=True, slots=True)
class Month:
    """Thirty days up to today, oldest first; days without a call are there with zero."""

    days: tuple[Day, ...]
    calls: int
    errors: int
    unpriced: int
    cost: Decimal

    @property
    def cost_text(self) -> str:
        return dollars(self.cost)

    @property
    def error_text(self) -> str:
        return f"{100 * self.errors / self.calls:.1f} %" if self.calls else "0 %"


def dollars(amount: Decimal) -> str:
    """For people: cents, and four digits where cents would say nothing."""
    step = Decimal("0.01") if amount == 0 or amount >= Decimal("0.1") else Decimal("0.0001")
    return f"${amount.quantize(step, rounding=ROUND_HALF_EVEN):,f}"


def months_of(names: Collection[str], user: Any) -> dict[str, Month]:
    """By model name, of the calls that this user may see; models without any are missing. Two queries in all."""
    today = timezone.now().date()
    since = today - timedelta(days=DAYS - 1)
    calls = visible(Rollup.objects.filter(plane="llm", model__in=names, day__range=(since, today)), user).order_by()
    figures = {"calls": Sum("calls"), "errors": Sum("errors"), "cost": ExactSum("cost")}
    by_day: dict[str, dict[date, Mapping[str, Any]]] = {}
    for row in calls.values("model", "day").annotate(**figures):
        by_day.setdefault(row["model"], {})[row["day"]] = row
    totals = {row["model"]: row for row in calls.values("model").annotate(unpriced=Sum("unpriced"), **figures)}
    return {name: _month(totals[name], by_day[name], since) for name in totals}


def _month(total: Mapping[str, Any], by_day: Mapping[date, Mapping[str, Any]], since: date) -> Month:
    most = max(row["calls"] for row in by_day.values()) or 1
    days = []
    for at in range(DAYS):
        day = since + timedelta(days=at)
        row = by_day.get(day, {"calls": 0, "cost": Decimal(0)})
        # A day with few calls beside a busy one still shows that it had some.
        height = max(TALLEST * row["calls"] / most, 4.0) if row["calls"] else 0.0
        days.append(Day(day, row["calls"], row["cost"], round(height, 1)))
    return Month(tuple(days), total["calls"], total["errors"], total["unpriced"], total["cost"])
