"""Calls and cost of models over the last thirty days, from the usage app's rollups, shaped for small charts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from django.utils import timezone
from usage.queries import model_days

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
    cost: Decimal

    @property
    def cost_text(self) -> str:
        return dollars(self.cost)

    @property
    def error_text(self) -> str:
        return f"{100 * self.errors / self.calls:.1f} %" if self.calls else "–"


def dollars(amount: Decimal) -> str:
    """For people: cents, and four digits where cents would say nothing."""
    step = Decimal("0.01") if amount == 0 or amount >= Decimal("0.1") else Decimal("0.0001")
    return f"${amount.quantize(step, rounding=ROUND_HALF_EVEN):,f}"


def months_of(names: Collection[str]) -> dict[str, Month]:
    """By model name; models without a call in that time are missing. One query, whatever the number of names."""
    today = timezone.now().date()
    since = today - timedelta(days=DAYS - 1)
    found: dict[str, dict[date, tuple[int, int, Decimal]]] = {}
    for name, day, calls, errors, cost in model_days(names, since=since):
        found.setdefault(name, {})[day] = (calls, errors, cost)
    return {name: _month(by_day, since) for name, by_day in found.items()}


def _month(by_day: dict[date, tuple[int, int, Decimal]], since: date) -> Month:
    none = (0, 0, Decimal(0))
    most = max(calls for calls, _, _ in by_day.values()) or 1
    figures = [(since + timedelta(days=at), *by_day.get(since + timedelta(days=at), none)) for at in range(DAYS)]
    return Month(
        days=tuple(Day(day, calls, cost, round(max(TALLEST * calls / most, 4.0 if calls else 0.0), 1)) for day, calls, _, cost in figures),
        calls=sum(figure[1] for figure in figures),
        errors=sum(figure[2] for figure in figures),
        cost=sum((figure[3] for figure in figures), Decimal(0)),
    )
