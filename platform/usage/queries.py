"""Shared reads over the ledger. Nothing here writes."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet

from dataplane import money, windows
from dataplane.authority import Seed
from identity.models import APIKey, Team, User
from usage import totals
from usage.models import Budget, LedgerEntry
from usage.totals import Measures

EARLIEST = date(2020, 1, 1)
"""Before the first entry of any house: where a window that never began starts."""

SCOPES = {"team": "team_id", "key": "key_id", "user": "principal"}


def visible(user: Any) -> Q:
    """What of the ledger, and of its rollups, this user may see: the calls of their team and of all teams below it, and
    everything for those who rule all."""
    if user is None or not (user.is_authenticated and user.is_active):
        return Q(pk__in=())
    if user.is_superuser:
        return Q()
    return Q(team_id__in=user.team_scope) if user.team_scope else Q(pk__in=())


def entries(user: Any) -> QuerySet[Any]:
    return LedgerEntry.objects.filter(visible(user))


def named(*, team: str = "", key: str = "", **exact: str) -> Q:
    """Lookups by what people call things. A team or key of that name today is meant with all its history; one that is
    gone is found by the name that it had. The numbers are what the ledger is indexed by."""
    found = Q()
    if team:
        numbers = list(Team.objects.filter(name=team).values_list("pk", flat=True))
        found &= Q(team_id__in=numbers) if numbers else Q(team_name=team)
    if key:
        numbers = list(APIKey.objects.filter(name=key).values_list("pk", flat=True)[:1000])
        found &= Q(key_id__in=numbers) if numbers else Q(key_name=key)
    return found & Q(**{name: value for name, value in exact.items() if value})


def month_days(month: date) -> tuple[date, date]:
    """First and last day of the month that `month` falls into."""
    first = month.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def window_days(period: str, now: float) -> tuple[date, date]:
    """First and last day (UTC) of the budget window that Unix time `now` falls into."""
    today = datetime.fromtimestamp(now, UTC).date()
    match period:
        case "day":
            return today, today
        case "week":
            monday = today - timedelta(days=today.weekday())
            return monday, monday + timedelta(days=6)
        case "month":
            return month_days(today)
        case "total":
            return EARLIEST, today + timedelta(days=1)
    raise ValueError(f"no such period: {period!r}")


def spent(budget: Budget, *, now: float | None = None) -> Decimal:
    """What was spent of a budget in its present window, as far as the ledger knows."""
    return spent_of([budget], now=now)[budget.pk]


def spent_of(budgets: Iterable[Budget], *, now: float | None = None) -> dict[int, Decimal]:
    """The same for many, in a number of queries that does not depend on how many. By primary key."""
    now = time.time() if now is None else now
    wanted = list(budgets)
    below = _subtrees() if any(budget.team_id for budget in wanted) else {}
    sums: dict[tuple[str, str], dict[Any, Decimal]] = {}
    result = {}
    for budget in wanted:
        kind, _, number = budget.subject.partition(":")
        if (kind, budget.period) not in sums:
            sums[kind, budget.period] = _costs(kind, budget.period, now)
        costs = sums[kind, budget.period]
        if kind == "team":
            members: Iterable[Any] = below[int(number)]
        else:
            members = (budget.subject if kind == "user" else int(number),)
        result[budget.pk] = sum((costs.get(member, Decimal(0)) for member in members), Decimal(0))
    return result


def authority_seeds(*, now: float | None = None) -> list[Seed]:
    """What every budget's authority has to know to begin: account, spent in 1e-9 USD, and how long to remember it."""
    now = time.time() if now is None else now
    budgets = list(Budget.objects.all())
    costs = spent_of(budgets, now=now)
    seeds = []
    for budget in budgets:
        account = windows.budget_account(budget.pk, budget.period, now)
        remembered = windows.remembered(windows.window_end(budget.period, now), now)
        seeds.append(Seed(account, money.to_nano(costs[budget.pk]), remembered))
    return seeds


def model_days(names: Collection[str], *, since: date) -> Iterator[tuple[str, date, int, int, Decimal]]:
    """Model, day, calls, errors and cost of these models from that day to today, for days with a call."""
    if not names:
        return
    found = totals.groups(first=since, last=totals.today(), by=("model", "day"), where=Q(model__in=list(names)))
    for group in found:
        model, day = group.values
        yield model, day, group.measures.calls, group.measures.errors, group.measures.cost


def spending_today(user: Any) -> Measures:
    """Everything that this user may see, since midnight UTC."""
    today = totals.today()
    return totals.total(first=today, last=today, where=visible(user))


def spending_this_month(user: Any) -> Measures:
    first, last = month_days(totals.today())
    return totals.total(first=first, last=last, where=visible(user))


def _costs(kind: str, period: str, now: float) -> dict[Any, Decimal]:
    """Cost by team, key or principal in the present window."""
    first, last = window_days(period, now)
    by = {"team": "team", "key": "key", "user": "principal"}[kind]
    at = totals.columns_of((by,)).index(SCOPES[kind])
    result: dict[Any, Decimal] = {}
    for group in totals.groups(first=first, last=last, by=(by,)):
        number = group.values[at]
        result[number] = result.get(number, Decimal(0)) + group.measures.cost
    return result


def _subtrees() -> dict[int, set[int]]:
    """Every team's number with those of itself and all teams below it."""
    parents = dict(Team.objects.values_list("pk", "parent_id"))
    result: dict[int, set[int]] = {team: set() for team in parents}
    for team in parents:
        above: int | None = team
        while above is not None:
            result[above].add(team)
            above = parents[above]
    return result


def principal_of(user: User) -> str:
    """The ledger's name of an account."""
    return user.ref
