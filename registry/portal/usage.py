"""What a person spent this month, on what, and how much of which budget is left."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse

from identity.models import User
from identity.queries import team_path
from registry.portal.access import page, signed_in
from usage import totals
from usage.models import Budget, LedgerEntry
from usage.queries import month_days, principal_of, spent_of

LATEST = 20
LISTED = 15
DAYS = 30


@signed_in
def usage(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    mine = Q(principal=principal_of(user))
    first, last = month_days(totals.today())
    return page(
        request,
        "usage.html",
        tab="usage",
        month=first,
        total=totals.total(first=first, last=last, where=mine),
        days=_days(mine),
        tables=[(label, _grouped(mine, first, last, by)) for label, by in _TABLES],
        budgets=_budgets(user),
        latest=LedgerEntry.objects.filter(mine)[:LATEST],
    )


_TABLES = (("Models", "model"), ("Tools", "tool"), ("Agents", "agent"), ("Keys", "key"))


def _grouped(mine: Q, first: date, last: date, by: str) -> list[dict[str, Any]]:
    """The dearest first, then the most called. Calls of other planes, which have no such name, are left out."""
    named = totals.columns_of((by,)).index({"key": "key_name"}.get(by, by))
    rows: list[dict[str, Any]] = [
        {
            "name": " / ".join(str(value) for value in group.values if value) if by == "tool" else group.values[named],
            "measures": group.measures,
        }
        for group in totals.groups(first=first, last=last, by=(by,), where=mine)
        if group.values[named]
    ]
    return sorted(rows, key=lambda row: (-row["measures"].cost, -row["measures"].calls))[:LISTED]


def _days(mine: Q) -> list[dict[str, Any]]:
    """The last thirty days, also those without a call, as bars in a drawing of 300 by 100."""
    today = totals.today()
    since = today - timedelta(days=DAYS - 1)
    found = {group.values[0]: group.measures for group in totals.groups(first=since, last=today, by=("day",), where=mine)}
    most = max((one.calls for one in found.values()), default=0)
    days = [since + timedelta(days=number) for number in range(DAYS)]
    shares = [round(100 * found[day].calls / most) if day in found and most else 0 for day in days]
    return [
        {
            "day": day,
            "calls": found[day].calls if day in found else 0,
            "cost": found[day].cost if day in found else Decimal(0),
            "x": 10 * number,
            "y": 100 - max(share, 2),
            "height": max(share, 2),
        }
        for number, (day, share) in enumerate(zip(days, shares, strict=True))
    ]


def _budgets(user: User) -> list[dict[str, Any]]:
    """Budgets that a call of this person is held to: their own and those of their teams."""
    above = [team.pk for team in team_path(user.team)]
    found = list(Budget.objects.filter(Q(user=user) | Q(team__in=above)).select_related("team"))
    spent = spent_of(found)
    return [
        {"budget": row, "spent": spent[row.pk], "share": min(100, round(100 * spent[row.pk] / row.limit)) if row.limit else 100}
        for row in found
    ]
