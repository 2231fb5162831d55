"""The overview's panels about money and calls: figures at a glance, the month as a chart, who and what spends, the live feed.

Each person sees the calls of their own team tree. Sums over a day with a million calls take a second, so what the page
shows may be `FRESH_FOR` seconds old; the live feed beside it is not.
"""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.urls import reverse

from adminkit.dashboard import Context, Panel, register
from adminkit.formats import compact, dollars
from identity.queries import visible_to
from usage import queries, totals
from usage.models import Budget, UnpricedModel
from usage.totals import Measures

FRESH_FOR = 10
DAYS = 30
TOP = 6
WATCH, ALARM = 80, 100
"""Percent of a budget from which its meter is amber, and red."""


def register_panels() -> None:
    register(Panel("figures", "admin/dashboard/figures.html", figures, order=10))
    register(Panel("trend", "admin/dashboard/trend.html", trend, order=20, width=8))
    register(Panel("budgets", "admin/dashboard/budgets.html", budgets, order=21, width=4))
    register(Panel("live", "admin/dashboard/live.html", live, order=31, width=8, tall=True))
    register(Panel("top", "admin/dashboard/top.html", top, order=50, width=12))


def figures(request: HttpRequest) -> Context:
    today, month = _remembered(
        request, "figures", lambda: (queries.spending_today(request.user), queries.spending_this_month(request.user))
    )
    alarms = UnpricedModel.objects.filter(resolved_at=None).count() if request.user.is_superuser else 0
    ledger = reverse("admin:usage_ledgerentry_changelist")
    share = Decimal(today.errors * 100) / today.calls if today.calls else Decimal(0)
    cards = [
        {"label": "Spent today", "value": dollars(today.cost), "note": f"{compact(today.calls)} calls since midnight UTC", "href": ledger},
        {"label": "Spent this month", "value": dollars(month.cost), "note": f"{compact(month.calls)} calls", "href": ledger},
        {
            "label": "Errors today",
            "value": compact(today.errors),
            "note": f"{share:.1f} % of calls" if today.calls else "no calls yet",
            "href": f"{ledger}?outcome=error",
            "state": "is-bad" if share >= 5 else "is-warn" if share >= 1 else "",
        },
        {
            "label": "Tokens today",
            "value": compact(today.input + today.cached_read + today.cache_write + today.output),
            "note": _cached(today),
            "href": ledger,
        },
    ]
    if alarms:
        cards.append(
            {
                "label": "Models without a price",
                "value": str(alarms),
                "note": "their cost is missing from every figure",
                "href": reverse("admin:usage_unpricedmodel_changelist"),
                "state": "is-warn",
            }
        )
    return {"cards": cards}


def _cached(measures: Measures) -> str:
    given = measures.input + measures.cached_read + measures.cache_write
    return f"{measures.cached_read * 100 // given} % of input from cache" if given else "no tokens yet"


def trend(request: HttpRequest) -> Context:
    """Cost per day over the last month, and calls beside it."""
    last = totals.today()
    first = last - timedelta(days=DAYS - 1)
    by_day = _remembered(request, "trend", lambda: _by_day(request, first, last))
    days = totals.days_between(first, last)
    costs = [float(by_day.get(day, (Decimal(0), 0))[0]) for day in days]
    calls = [by_day.get(day, (Decimal(0), 0))[1] for day in days]
    bars = {"label": "Cost in USD", "data": costs, "backgroundColor": "var(--color-primary-600)", "borderRadius": 3, "yAxisID": "y"}
    line = {"label": "Calls", "data": calls, "type": "line", "borderColor": "#f59e0b", "pointRadius": 0, "yAxisID": "calls"}
    axes = {
        "x": {"grid": {"display": False}, "ticks": {"maxTicksLimit": 10}},
        "y": {"beginAtZero": True, "title": {"display": True, "text": "USD"}},
        "calls": {"beginAtZero": True, "position": "right", "grid": {"display": False}, "title": {"display": True, "text": "calls"}},
    }
    options = {"responsive": True, "maintainAspectRatio": False, "interaction": {"mode": "index", "intersect": False}, "scales": axes}
    return {
        "empty": not by_day,
        "days": DAYS,
        "data": json.dumps({"labels": [day.strftime("%d %b") for day in days], "datasets": [line, bars]}),
        "options": json.dumps(options),
    }


def _by_day(request: HttpRequest, first: Any, last: Any) -> dict[Any, tuple[Decimal, int]]:
    found = totals.groups(first=first, last=last, by=("day",), where=queries.visible(request.user))
    return {group.values[0]: (group.measures.cost, group.measures.calls) for group in found}


def budgets(request: HttpRequest) -> Context:
    """The budgets nearest to their limit."""
    mine = list(visible_to(Budget.objects.select_related("team", "user", "key"), request.user)[:500])
    spent = _remembered(request, "budgets", lambda: queries.spent_of(mine))
    rows = []
    for budget in mine:
        used = spent.get(budget.pk, Decimal(0))
        percent = int(used * 100 / budget.limit) if budget.limit else 100
        rows.append(
            {
                "name": str(budget),
                "used": dollars(used),
                "limit": dollars(budget.limit),
                "percent": percent,
                "width": min(percent, 100),
                "state": "is-bad" if percent >= ALARM else "is-warn" if percent >= WATCH else "",
                "href": reverse("admin:usage_budget_change", args=[budget.pk]),
                "mode": budget.mode,
            }
        )
    rows.sort(key=lambda row: -row["percent"])
    return {"rows": rows[:TOP], "more": max(0, len(rows) - TOP), "add": reverse("admin:usage_budget_add")}


def top(request: HttpRequest) -> Context | None:
    """What the month's money went to: models, teams, tools and agents."""
    first, last = queries.month_days(totals.today())

    def columns() -> list[dict[str, Any]]:
        where = queries.visible(request.user)
        found = []
        for title, by, position in (("Models", "model", 0), ("Teams", "team", 0), ("Tools", "tool", 1), ("Agents", "agent", 0)):
            groups = [group for group in totals.groups(first=first, last=last, by=(by,), where=where) if all(group.values[: position + 1])]
            groups.sort(key=lambda group: (-group.measures.cost, -group.measures.calls))
            most = max((group.measures.cost for group in groups), default=Decimal(0)) or Decimal(1)
            rows = [
                {
                    "name": "/".join(str(value) for value in (group.values if by == "tool" else group.values[:1])),
                    "calls": compact(group.measures.calls),
                    "cost": dollars(group.measures.cost),
                    "width": int(group.measures.cost * 100 / most),
                }
                for group in groups[:TOP]
            ]
            found.append({"title": title, "rows": rows})
        return found

    tables = _remembered(request, "top", columns)
    return {"tables": tables} if any(table["rows"] for table in tables) else None


def live(request: HttpRequest) -> Context:
    return {"ledger": reverse("admin:usage_ledgerentry_changelist")}


def _remembered(request: HttpRequest, name: str, make: Any) -> Any:
    return cache.get_or_set(f"usage.dashboard.{name}.{request.user.pk}", make, FRESH_FOR)
