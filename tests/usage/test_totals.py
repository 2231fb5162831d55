"""Sums: from rollups, from the ledger or from both, they are exactly what was recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import transaction
from django.db.models import Q, Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataplane.events import UsageEvent
from tests.usage.calls import a_call
from usage import ledger, rollups, tasks, totals
from usage.exact import ExactSum
from usage.models import LedgerEntry, RolledDay, Rollup, StaleDay

pytestmark = pytest.mark.django_db

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)


@contextmanager
def undone() -> Iterator[None]:
    """What one example records is gone before the next."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def key_of(event: UsageEvent, by: tuple[str, ...]) -> tuple[Any, ...]:
    columns = {
        "day": datetime.fromtimestamp(event.at, UTC).date(),
        "plane": event.plane,
        "team_name": event.team_name,
        "team_id": event.team,
        "principal_name": event.principal_name,
        "principal": event.principal,
        "key_name": event.key_name,
        "key_id": event.key,
        "model": event.model,
        "provider": event.provider,
        "server": event.server,
        "tool": event.tool,
        "agent": event.agent,
    }
    return tuple(columns[name] for name in totals.columns_of(by))


def expected(events: list[UsageEvent], by: tuple[str, ...]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    sums: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, 0, 0, 0, 0, 0, 0, 0, Decimal(0), Decimal(0)])
    for event in events:
        usage = event.usage.get
        more = (
            1,
            event.outcome in ("error", "unknown"),
            event.cost is None,
            event.estimated,
            usage("input", 0),
            usage("cached_read", 0),
            usage("cache_write_5m", 0) + usage("cache_write_1h", 0),
            usage("output", 0),
            Decimal(event.cost or 0),
            Decimal(event.saved or 0),
        )
        found = sums[key_of(event, by)]
        for at, value in enumerate(more):
            found[at] += value
    return {key: tuple(found) for key, found in sums.items()}


def measured(by: tuple[str, ...], where: Q | None = None) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    rows = list(totals.groups(first=FIRST, last=LAST, by=by, where=where))
    assert len({group.values for group in rows}) == len(rows), "a group is one row"
    return {group.values: tuple(getattr(group.measures, name) for name in rollups.MEASURES) for group in rows}


amounts = st.integers(0, 10**23).map(lambda units: f"{Decimal(units).scaleb(-12):f}")
calls = st.builds(
    lambda day, second, **fields: a_call(at=datetime(2026, 11, day, tzinfo=UTC) + timedelta(seconds=second), **fields),
    day=st.integers(1, 30),
    second=st.integers(0, 86_399),
    team=st.sampled_from([None, 1, 2]),
    team_name=st.sampled_from(["", "research"]),
    key=st.integers(1, 2),
    model=st.sampled_from(["", "gpt", "Ünïcode"]),
    server=st.sampled_from(["", "weather"]),
    outcome=st.sampled_from(["ok", "error", "aborted", "unknown"]),
    cost=st.one_of(st.none(), amounts),
    estimated=st.booleans(),
    usage=st.dictionaries(st.sampled_from(["input", "cached_read", "cache_write_5m", "cache_write_1h", "output"]), st.integers(0, 2**40)),
)
groupings = st.lists(st.sampled_from(sorted(totals.GROUPS)), max_size=3).map(tuple)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.lists(calls, max_size=15), after=st.lists(calls, max_size=6), by=groupings)
def test_sums_are_exact_whatever_is_rolled_up_and_whatever_comes_late(
    before: list[UsageEvent], after: list[UsageEvent], by: tuple[str, ...]
) -> None:
    with undone():
        ledger.record(before)
        assert measured(by) == expected(before, by), "from the ledger"
        rollups.roll_up_stale()
        assert not StaleDay.objects.exists()
        assert measured(by) == expected(before, by), "from the rollups"
        ledger.record(after)
        assert measured(by) == expected(before + after, by), "from both"
        rollups.roll_up_stale()
        assert measured(by) == expected(before + after, by), "rolled up again"
        whole = totals.total(first=FIRST, last=LAST)
        assert whole.cost == sum((Decimal(event.cost or 0) for event in before + after), Decimal(0))
        assert whole.calls == len(before + after) == sum(RolledDay.objects.values_list("entries", flat=True))


def test_a_sum_keeps_twelve_decimals_beside_a_trillion() -> None:
    costs = ["999999999999.999999999999", "0.000000000001"]
    ledger.record([a_call(cost=cost) for cost in costs])
    assert LedgerEntry.objects.aggregate(total=ExactSum("cost"))["total"] == Decimal("1000000000000.000000000000")


def test_a_sum_over_nothing_is_none_and_over_unpriced_calls_too() -> None:
    assert LedgerEntry.objects.aggregate(total=ExactSum("cost"))["total"] is None
    ledger.record([a_call(cost=None)])
    assert LedgerEntry.objects.aggregate(total=ExactSum("cost"))["total"] is None


def test_a_sum_that_would_be_a_float_is_refused() -> None:
    ledger.record([a_call(cost="0.1")])
    with pytest.raises(FieldError, match="ExactSum"):
        LedgerEntry.objects.aggregate(total=Sum("cost"))


def test_rolling_a_day_up_twice_changes_nothing() -> None:
    ledger.record([a_call(day=3), a_call(day=3, model="other"), a_call(day=4)])
    assert [str(day) for day in rollups.roll_up_stale()] == ["2026-11-03", "2026-11-04"]
    before = list(Rollup.objects.order_by("day", "digest").values_list("day", "digest", "calls", "cost"))
    assert rollups.roll_up(date(2026, 11, 3)) == 2
    assert list(Rollup.objects.order_by("day", "digest").values_list("day", "digest", "calls", "cost")) == before
    assert rollups.roll_up_stale() == []


def test_only_days_that_got_entries_are_made_anew(django_assert_num_queries: Any) -> None:
    ledger.record([a_call(day=day) for day in range(1, 20)])
    rollups.roll_up_stale()
    ledger.record([a_call(day=7)])
    with django_assert_num_queries(1):
        assert list(StaleDay.objects.values_list("day", flat=True).distinct()) == [date(2026, 11, 7)]
    assert rollups.roll_up_stale() == [date(2026, 11, 7)]
    assert Rollup.objects.get(day=date(2026, 11, 7)).calls == 2


def test_an_entry_that_comes_while_its_day_is_rolled_up_stays_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.record([a_call(day=3)])
    between = rollups.entries_between

    def late(first: date, last: date) -> Any:
        monkeypatch.setattr(rollups, "entries_between", between)
        ledger.record([a_call(day=3)])
        return between(first, last)

    monkeypatch.setattr(rollups, "entries_between", late)
    rollups.roll_up_stale()
    assert StaleDay.objects.count() == 1
    assert totals.total(first=FIRST, last=LAST).calls == 2


def test_the_tasks_roll_up_what_is_over_and_the_running_day_apart() -> None:
    now = datetime.now(UTC)
    ledger.record([a_call(at=now), a_call(at=now - timedelta(days=2))])
    assert tasks.rollup.apply().get() == [str((now - timedelta(days=2)).date())]
    assert tasks.rollup_today.apply().get() == [str(now.date())]
    assert totals.total(first=now.date(), last=now.date()).calls == 1


def test_what_is_asked_for_is_filtered_alike_in_rollups_and_ledger() -> None:
    events = [a_call(day=day, model=model) for day in (1, 2) for model in ("a", "b")]
    ledger.record(events)
    rollups.roll_up(date(2026, 11, 1))
    wanted = [event for event in events if event.model == "a"]
    assert measured(("day", "model"), Q(model="a")) == expected(wanted, ("day", "model"))


def test_more_groups_than_are_sorted_are_still_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(totals, "SORTED_UP_TO", 3)
    events = [a_call(day=1, model=f"m{number}") for number in range(9)]
    ledger.record(events)
    rollups.roll_up_stale()
    late = [a_call(day=2, model=f"m{number}") for number in range(7, 12)]
    ledger.record(late)
    assert measured(("model",)) == expected(events + late, ("model",))


def test_groups_come_in_the_order_of_their_values() -> None:
    ledger.record([a_call(day=day, team=team, team_name=name) for day, team, name in ((2, None, ""), (1, 2, "b"), (1, 1, "a"))])
    assert [group.values for group in totals.groups(first=FIRST, last=LAST, by=("team",))] == [("", None), ("a", 1), ("b", 2)]


def test_an_unknown_group_is_an_error() -> None:
    with pytest.raises(KeyError):
        totals.columns_of(("colour",))
