"""Budgets of teams, as a part of the team's entry: one, or a list with one per period."""

from __future__ import annotations

from collections import defaultdict

from config.applying import shape
from config.applying.kind import plain
from identity.models import Team, User
from usage import actions
from usage.models import Budget

PERIODS = ("day", "week", "month", "total")

Budgets = shape.Budget | list[shape.Budget] | None


def of_teams() -> dict[int, Budgets]:
    """Every team's budgets in the shape of the file, by the team's primary key."""
    found: dict[int, list[shape.Budget]] = defaultdict(list)
    for row in Budget.objects.filter(team__isnull=False):
        found[row.team_id].append(shape.Budget(limit=plain(row.limit), period=row.period, mode=row.mode))
    return {pk: settled(budgets) for pk, budgets in found.items()}


def settled(budgets: Budgets) -> Budgets:
    """In one spelling: amounts without trailing zeros, the shortest period first, a list only for several."""
    ordered = sorted(listed(budgets), key=lambda budget: PERIODS.index(budget.period))
    plainer: list[shape.Budget] = [shape.Budget(limit=plain(one.limit), period=one.period, mode=one.mode) for one in ordered]
    if len(plainer) > 1:
        return plainer
    return plainer[0] if plainer else None


def listed(budgets: Budgets) -> list[shape.Budget]:
    if budgets is None:
        return []
    return budgets if isinstance(budgets, list) else [budgets]


def set_team_budgets(team: Team, budgets: Budgets, *, actor: User | None) -> None:
    """States all of them: a period that is not among them has no budget afterwards."""
    wanted = {budget.period: budget for budget in listed(budgets)}
    for row in Budget.objects.filter(team=team):
        if row.period not in wanted:
            actions.remove_budget(actor=actor, budget=row)
    for budget in wanted.values():
        actions.set_budget(actor=actor, subject=team, limit=budget.limit, period=budget.period, mode=budget.mode)
