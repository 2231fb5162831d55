"""Budgets: who may set them, what is spent of them, and what the data plane hears of them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction

from audit.models import AuditEvent
from dataplane import windows
from dataplane.snapshot import BudgetRecord, BudgetSection, decode_body
from identity.models import Team, User
from tests import factories
from tests.usage.calls import a_call
from usage import actions, ledger, queries, rollups
from usage import compile as compiled
from usage.models import Budget

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)  # a Wednesday


def test_a_budget_is_set_once_per_period_and_then_changed(research: Team) -> None:
    budget = actions.set_budget(actor=None, subject=research, limit="50.00")
    again = actions.set_budget(actor=None, subject=research, limit=Decimal(50))
    changed = actions.set_budget(actor=None, subject=research, limit="70", mode="soft")
    other = actions.set_budget(actor=None, subject=research, limit="5", period="day")
    assert budget.pk == again.pk == changed.pk != other.pk
    told = [(event.action, event.changes) for event in AuditEvent.objects.filter(action__startswith="usage.").order_by("pk")]
    assert [action for action, _ in told] == ["usage.budget.set", "usage.budget.change", "usage.budget.set"]
    assert told[1][1]["mode"] == ["hard", "soft"]
    assert actions.budget_of(research, "month") == budget


def test_a_budget_is_removed_with_its_audit_row(research: Team) -> None:
    budget = actions.set_budget(actor=None, subject=research, limit="50")
    actions.remove_budget(actor=None, budget=budget)
    assert not Budget.objects.exists()
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.extra) == ("usage.budget.remove", {"subject": f"team:{research.pk}", "name": "research"})


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"limit": "lots"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": 0.5}, "limit"),
        ({"limit": "1e10"}, "limit"),
        ({"limit": "0.1234567891"}, "limit"),
        ({"limit": "1", "period": "year"}, "period"),
        ({"limit": "1", "mode": "firm"}, "mode"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused_by_its_field(research: Team, values: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        actions.set_budget(actor=None, subject=research, **values)
    assert list(refusal.value.message_dict) == [field]
    assert not Budget.objects.exists()


def test_the_database_holds_a_budget_to_one_subject(research: Team, owner: User) -> None:
    for subjects in ({}, {"team": research, "user": owner}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Budget(limit=1, **subjects).save()


def test_nobody_widens_the_budget_they_spend_from(
    acme: Team, research: Team, owner: User, team_mate: User, stranger: User, admin: User
) -> None:
    below = factories.make_team("below", parent=research)
    key, _ = factories.make_key(team_mate)
    own_key, _ = factories.make_key(owner)
    for subject in (below, team_mate, key):
        actions.set_budget(actor=owner, subject=subject, limit="1")
        with pytest.raises(PermissionDenied):
            actions.set_budget(actor=stranger, subject=subject, limit="2")
    for subject in (research, acme, owner, own_key, stranger):
        with pytest.raises(PermissionDenied):
            actions.set_budget(actor=owner, subject=subject, limit="2")
        actions.set_budget(actor=admin, subject=subject, limit="3")
    with pytest.raises(PermissionDenied):
        actions.remove_budget(actor=owner, budget=Budget.objects.get(team=research))


def calls_of(day: int, hour: int = 12, **fields: Any) -> Any:
    return a_call(at=datetime(2026, 11, day, hour, tzinfo=UTC), cost="1", **fields)


def test_what_is_spent_is_what_the_ledger_has_in_the_window(research: Team, acme: Team, owner: User) -> None:
    below = factories.make_team("below", parent=research)
    key, _ = factories.make_key(owner)
    mine: dict[str, Any] = {"team": research.pk, "principal": owner.ref, "key": key.pk}
    ledger.record(
        [
            calls_of(18, **mine),
            calls_of(18, 0, **mine),
            calls_of(17, 23, **mine),
            calls_of(16, 0, **mine),
            calls_of(15, 23, **mine),
            calls_of(1, 0, **mine),
            a_call(at=datetime(2026, 10, 31, 23, tzinfo=UTC), cost="1", **mine),
            calls_of(18, team=below.pk, principal="user:999", key=999),
            calls_of(18, team=None, principal="user:998", key=998),
            calls_of(18, **mine | {"team": acme.pk}),
        ]
    )
    rollups.roll_up_stale(before=datetime(2026, 11, 16, tzinfo=UTC).date())

    def spent(subject: Any, period: str) -> Decimal:
        budget = actions.set_budget(actor=None, subject=subject, limit="100", period=period)
        return queries.spent(budget, now=NOW.timestamp())

    assert [spent(research, period) for period in ("day", "week", "month", "total")] == [3, 5, 7, 8]
    assert [spent(acme, period) for period in ("day", "week", "month", "total")] == [4, 6, 8, 9]
    assert [spent(below, period) for period in ("day", "week", "month", "total")] == [1, 1, 1, 1]
    assert [spent(owner, period) for period in ("day", "week", "month", "total")] == [3, 5, 7, 8]
    assert [spent(key, period) for period in ("day", "week", "month", "total")] == [3, 5, 7, 8]


def test_windows_are_those_of_the_data_plane() -> None:
    for period in windows.PERIODS:
        first, last = queries.window_days(period, NOW.timestamp())
        start = datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()
        assert windows.window(period, start) == windows.window(period, NOW.timestamp())
        end = windows.window_end(period, NOW.timestamp())
        if end is not None:
            assert windows.window(period, start - 1) != windows.window(period, NOW.timestamp())
            assert rollups.bounds(last)[1].timestamp() == end
    assert set(windows.PERIODS) == set(Budget.Period.values)


def test_an_authority_is_seeded_with_every_budget_s_account(research: Team, owner: User) -> None:
    month = actions.set_budget(actor=None, subject=research, limit="100")
    total = actions.set_budget(actor=None, subject=owner, limit="100", period="total")
    ledger.record([calls_of(18, team=research.pk), a_call(at=NOW, team=research.pk, principal=owner.ref, cost="0.0000000001")])
    seeds = queries.authority_seeds(now=NOW.timestamp())
    assert [(seed.account, seed.spent) for seed in seeds] == [
        (f"budget:{month.pk}:2026-11", 1_000_000_001),
        (f"budget:{total.pk}:all", 1),
    ], "rounded up to 1e-9 USD"
    assert seeds[0].ttl == pytest.approx(13.5 * 86_400)
    assert seeds[1].ttl is None


def test_spending_of_many_budgets_takes_a_bounded_number_of_queries(research: Team, django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        team = factories.make_team(f"t{number}", parent=research)
        actions.set_budget(actor=None, subject=team, limit="1")
        actions.set_budget(actor=None, subject=factories.make_user(team=team), limit="1", period="day")
    ledger.record([a_call()])
    budgets = list(Budget.objects.all())
    with django_assert_max_num_queries(10):
        assert len(queries.spent_of(budgets)) == 24


def test_the_section_holds_every_budget_in_whole_units(research: Team, owner: User) -> None:
    first = actions.set_budget(actor=None, subject=research, limit="50.000000001", period="week")
    second = actions.set_budget(actor=None, subject=owner, limit="0", mode="soft")
    assert compiled.all_sections() == ("budgets",)
    body = compiled.compile_section("budgets")
    assert body is not None
    assert decode_body("budgets", body) == BudgetSection(
        budgets=(
            BudgetRecord(id=first.pk, subject=f"team:{research.pk}", limit=50_000_000_001, period="week"),
            BudgetRecord(id=second.pk, subject=owner.ref, limit=0, period="month", mode="soft"),
        )
    )
    assert compiled.compile_section("keys:00") is None


def test_only_budget_changes_alter_the_section(research: Team) -> None:
    actions.set_budget(actor=None, subject=research, limit="1")
    assert compiled.sections_for(AuditEvent.objects.latest("pk")) == {"budgets"}
    actions.set_price(actor=None, model_name="m", input="1", output="1")
    assert compiled.sections_for(AuditEvent.objects.latest("pk")) == set()
