"""The cost report as a page: a month, a grouping, a chart, a table, and the same as a file."""

from __future__ import annotations

import heapq
import json
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from adminkit.formats import compact, dollars
from adminkit.pages import page
from dataplane import money
from usage import totals
from usage.reports import costs
from usage.reports.costs import BadReport, CostReport
from usage.totals import Group, Measures

SHOWN = 200
"""Rows of the page, the dearest first; a file has them all."""

BARS = 12


def cost_report(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """For whoever may see rollups: those of their own teams."""
    if request.method not in ("GET", "HEAD") or not model_admin.has_view_permission(request):
        raise PermissionDenied
    chosen = request.GET.getlist("group_by")
    params = {**request.GET.dict(), **({"group_by": ",".join(chosen)} if chosen else {})}
    problem = ""
    try:
        report = costs.parse(params, user=request.user)
    except BadReport as error:
        problem, report = error.message, costs.parse({}, user=request.user)
    dearest = heapq.nlargest(SHOWN, report.rows(), key=lambda group: (group.measures.cost, group.measures.calls))
    return page(
        model_admin,
        request,
        "usage/cost_report.html",
        title="Cost report",
        opts=None,
        report=report,
        problem=problem,
        groups=[{"name": name, "chosen": name in report.by} for name in totals.GROUPS],
        filters=[{"name": name, "value": report.filters.get(name, "")} for name in costs.FILTERS],
        columns=[heading.replace("_", " ") for heading in report.columns],
        rows=[_row(group, report.totals) for group in dearest],
        more=report.count - len(dearest),
        cards=_cards(report.totals),
        total=_figures(report.totals),
        downloads=[{"kind": kind, "href": _download(report, kind)} for kind in ("csv", "xlsx", "json")],
        chart=_chart(dearest, report) if report.totals.cost else None,
    )


def _row(group: Group, whole: Measures) -> dict[str, Any]:
    share = group.measures.cost * 100 / whole.cost if whole.cost else Decimal(0)
    values = ["-" if value in (None, "") else value.isoformat() if isinstance(value, date) else value for value in group.values]
    return {"values": values, "width": int(share), "share": f"{share:.1f} %", **_figures(group.measures)}


def _figures(measures: Measures) -> dict[str, Any]:
    return {
        "calls": f"{measures.calls:,}",
        "errors": f"{measures.errors:,}",
        "unpriced": f"{measures.unpriced:,}",
        "input": compact(measures.input + measures.cached_read + measures.cache_write),
        "output": compact(measures.output),
        "cost": dollars(measures.cost),
        "exact": money.to_text(measures.cost),
    }


def _cards(measures: Measures) -> list[dict[str, str]]:
    given = measures.input + measures.cached_read + measures.cache_write
    return [
        {"label": "Cost", "value": dollars(measures.cost), "note": f"exactly {money.to_text(measures.cost)} USD"},
        *_saved(measures),
        {"label": "Calls", "value": compact(measures.calls), "note": f"{measures.errors:,} failed"},
        {"label": "Tokens", "value": compact(given + measures.output), "note": f"{compact(given)} in, {compact(measures.output)} out"},
        {
            "label": "Without a price",
            "value": compact(measures.unpriced),
            "note": "calls whose cost is not in these sums" if measures.unpriced else "every call has its cost",
            "state": "is-warn" if measures.unpriced else "",
        },
        {"label": "Estimated", "value": compact(measures.estimated), "note": "ended without the provider's count"},
    ]


def _saved(measures: Measures) -> list[dict[str, str]]:
    """Only where something was: most houses keep no answers."""
    note = "what answers of before would have cost; not part of the cost"
    return [{"label": "Saved", "value": dollars(measures.saved), "note": note}] if measures.saved else []


def _download(report: CostReport, kind: str) -> str:
    query = {"period": report.period, "group_by": ",".join(report.by), "format": kind, **report.filters}
    return f"{reverse('cost-report-list')}?{urlencode(query)}"


def _chart(dearest: list[Group], report: CostReport) -> dict[str, str]:
    """Bars: the days of the month in their order, or the dearest of anything else. Heights are for the eye: the figures
    are in the table."""
    by_day = report.by == ("day",)
    shown = sorted(dearest, key=lambda group: group.values) if by_day else dearest[:BARS]
    labels = [" · ".join(str(value) for value in group.values if value not in (None, "")) or "-" for group in shown]
    costs_of = {
        "label": "Cost in USD",
        "data": [float(group.measures.cost) for group in shown],
        "backgroundColor": "var(--color-primary-600)",
    }
    options = {
        "indexAxis": "x" if by_day else "y",
        "responsive": True,
        "maintainAspectRatio": False,
        "scales": {"x": {"beginAtZero": True}, "y": {"beginAtZero": True}},
        "plugins": {"legend": {"display": False}},
    }
    return {
        "data": json.dumps({"labels": labels, "datasets": [costs_of]}),
        "options": json.dumps(options),
        "label": "Cost per day" if by_day else f"The {len(shown)} dearest of {report.count}",
        "height": "16rem" if by_day else f"{4 + 2 * len(shown)}rem",
    }
