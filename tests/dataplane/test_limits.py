"""Which accounts a call takes from, and what those are told who do not get in."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.errors import BudgetExceeded, RateLimited
from dataplane.limits import budget_account, window, window_end
from dataplane.snapshot import KeyRecord, PrincipalRecord
from tests.dataplane.budgeted import CENT, Clock, admit, budget, house, key, left, limits_of


@pytest.mark.parametrize(
    ("period", "at", "name", "end"),
    [
        ("day", "2026-11-22T23:59:59", "2026-11-22", "2026-11-23T00:00:00"),
        ("day", "2026-12-31T12:00:00", "2026-12-31", "2027-01-01T00:00:00"),
        ("week", "2026-11-22T12:00:00", "2026-W47", "2026-11-23T00:00:00"),
        ("week", "2027-01-01T00:00:00", "2026-W53", "2027-01-04T00:00:00"),
        ("month", "2026-11-22T12:00:00", "2026-11", "2026-12-01T00:00:00"),
        ("month", "2028-02-29T23:00:00", "2028-02", "2028-03-01T00:00:00"),
        ("month", "2026-12-31T23:00:00", "2026-12", "2027-01-01T00:00:00"),
    ],
)
def test_a_window_is_a_calendar_window_in_utc(period: str, at: str, name: str, end: str) -> None:
    now = datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()
    assert window(period, now) == name
    assert window_end(period, now) == datetime.fromisoformat(end).replace(tzinfo=UTC).timestamp()


def test_the_total_window_never_ends() -> None:
    assert window("total", 0) == "all"
    assert window_end("total", 0) is None
    assert budget_account(7, "total", 0) == "budget:7:all"


@given(st.sampled_from(["day", "week", "month"]), st.floats(0, 4_000_000_000))
def test_windows_follow_each_other_without_a_gap(period: str, now: float) -> None:
    end = window_end(period, now)
    assert now < end
    assert window(period, end - 1) == window(period, now)
    assert window(period, end) != window(period, now)


def test_an_unknown_period_is_refused_and_the_budgets_in_force_stay() -> None:
    limits = limits_of(house(budget(CENT)))
    with pytest.raises(ValueError, match="fortnight"):
        limits.configure(house(budget(CENT, period="fortnight")))
    admit(limits, key()).settle(CENT, 1)
    with pytest.raises(BudgetExceeded):
        admit(limits, key())
    with pytest.raises(ValueError, match="fortnight"):
        window("fortnight", 0)
    with pytest.raises(ValueError, match="fortnight"):
        window_end("fortnight", 0)


@pytest.mark.parametrize("subject", ["key:1", "user:1", "team:2", "team:3"])
def test_a_budget_of_the_key_its_principal_or_any_team_above_applies(subject: str) -> None:
    limits = limits_of(house(budget(CENT, subject=subject)))
    admit(limits, key()).settle(CENT, 1)
    with pytest.raises(BudgetExceeded) as caught:
        admit(limits, key())
    assert (
        caught.value.message == f"The budget of {subject}, 0.01 USD per month, does not cover this call; it renews at 2026-12-01T00:00:00Z."
    )
    assert ("x-should-retry", "false") in caught.value.headers
    assert caught.value.status == 402


@pytest.mark.parametrize("subject", ["key:2", "user:12", "team:4"])
def test_a_budget_of_somebody_else_does_not_apply(subject: str) -> None:
    limits = limits_of(house(budget(0, subject=subject)))
    admit(limits, key()).settle(CENT, 1)


def test_a_caller_without_a_team_has_only_own_limits() -> None:
    loner = KeyRecord(id=9, name="k", prefix="p", digest=bytes(32), principal=PrincipalRecord(ref="user:9", name="l", kind="person"))
    limits = limits_of(house(budget(0)))
    admit(limits, loner).settle(CENT, 1)


def test_the_budget_of_a_team_that_is_not_published_yet_applies_all_the_same() -> None:
    setup = house(budget(0, subject="team:2"))
    setup.teams = {}
    with pytest.raises(BudgetExceeded):
        admit(limits_of(setup), key())


def test_a_total_budget_says_that_it_does_not_renew() -> None:
    limits = limits_of(house(budget(CENT, period="total")))
    admit(limits, key()).settle(CENT, 1)
    with pytest.raises(BudgetExceeded, match=r"0\.01 USD in total, does not cover this call; it does not renew"):
        admit(limits, key())


def test_a_call_takes_from_all_of_its_accounts_or_from_none() -> None:
    setup = house(budget(10 * CENT, subject="key:1"), budget(5 * CENT, subject="team:3", budget_id=2))
    caller = key(rpm=100, tpm=1000, concurrency=10)
    limits = limits_of(setup)
    for _ in range(5):
        admit(limits, caller, tokens=7).settle(CENT, 7)
    with pytest.raises(BudgetExceeded, match="team:3"):
        admit(limits, caller, tokens=7)
    minute = int(Clock().now // 60)
    assert left(limits, "budget:1:2026-11", 10 * CENT) == 5 * CENT
    assert left(limits, f"rpm:key:1:{minute}", 100) == 95
    assert left(limits, f"tpm:key:1:{minute}", 1000) == 1000 - 5 * 7
    assert left(limits, "conc:key:1", 10) == 10


def test_a_new_window_begins_with_the_whole_budget() -> None:
    clock = Clock()
    limits = limits_of(house(budget(CENT, period="day")), clock=clock)
    admit(limits, key()).settle(CENT, 1)
    with pytest.raises(BudgetExceeded):
        admit(limits, key())
    clock.now += 12 * 3600
    admit(limits, key()).settle(CENT, 1)
    with pytest.raises(BudgetExceeded):
        admit(limits, key())


def test_a_cost_belongs_to_the_window_in_which_the_call_was_let_in() -> None:
    clock = Clock()
    limits = limits_of(house(budget(CENT, period="day")), clock=clock)
    admission = admit(limits, key())
    clock.now += 12 * 3600
    admit(limits, key()).settle(CENT // 2, 1)
    admission.settle(CENT, 1)
    assert left(limits, "budget:1:2026-11-22", CENT) == 0
    assert left(limits, "budget:1:2026-11-23", CENT) == CENT - CENT // 2


def test_settling_twice_counts_once() -> None:
    limits = limits_of(house(budget(10 * CENT)))
    admission = admit(limits, key(concurrency=5))
    admission.settle(CENT, 1)
    admission.settle(9 * CENT, 1)
    assert left(limits, "budget:1:2026-11", 10 * CENT) == 9 * CENT
    assert left(limits, "conc:key:1", 5) == 5


def test_what_is_spent_beyond_the_reservation_counts_in_full_and_the_next_call_is_refused() -> None:
    limits = limits_of(house(budget(10 * CENT)))
    first, second = admit(limits, key()), admit(limits, key())
    first.settle(12 * CENT, 1)
    with pytest.raises(BudgetExceeded):
        admit(limits, key(), reserve=1)
    second.settle(CENT, 1)
    assert left(limits, "budget:1:2026-11", 10 * CENT) == -3 * CENT


def test_a_call_that_costs_nothing_passes_an_exhausted_budget_only_if_nothing_is_reserved_for_it() -> None:
    limits = limits_of(house(budget(CENT)))
    admit(limits, key()).settle(2 * CENT, 1)
    admit(limits, key(), reserve=0).settle(0, 1)
    admit(limits, key(), reserve=None).settle(None, 1)
    with pytest.raises(BudgetExceeded):
        admit(limits, key(), reserve=1)


def test_a_call_without_a_price_is_not_checked_against_money_but_against_everything_else() -> None:
    limits = limits_of(house(budget(0)))
    caller = key(rpm=1)
    admission = admit(limits, caller, reserve=None)
    assert admission.reserved == 0
    admission.settle(None, 1)
    with pytest.raises(RateLimited):
        admit(limits, caller, reserve=None)


def test_a_soft_budget_never_refuses_and_says_when_it_is_used_up() -> None:
    limits = limits_of(house(budget(2 * CENT, mode="soft")))
    for spent in range(4):
        admission = admit(limits, key(), reserve=100 * CENT)
        assert admission.over_soft == (spent >= 2)
        assert admission.reserved == 0
        assert admission.accounts == ()
        admission.settle(CENT, 1)
    assert left(limits, "budget:1:2026-11", 2 * CENT) == -2 * CENT


def test_a_soft_budget_that_becomes_hard_refuses_at_once_and_the_other_way_round() -> None:
    limits = limits_of(house(budget(CENT, mode="soft")))
    caller = key()
    admit(limits, caller).settle(CENT, 1)
    limits.configure(house(budget(CENT, mode="hard")))
    with pytest.raises(BudgetExceeded):
        admit(limits, caller)
    limits.configure(house(budget(CENT, mode="soft")))
    assert admit(limits, caller).over_soft


def test_a_lower_limit_applies_at_once_also_to_slices_that_are_out() -> None:
    limits = limits_of(house(budget(100 * CENT)))
    caller = key()
    admit(limits, caller).settle(CENT, 1)
    limits.configure(house(budget(2 * CENT)))
    admit(limits, caller).settle(CENT, 1)
    with pytest.raises(BudgetExceeded, match=r"0\.02 USD"):
        admit(limits, caller)


def test_a_budget_that_is_gone_gives_its_slice_back_and_no_longer_applies() -> None:
    limits = limits_of(house(budget(CENT)))
    caller = key()
    admit(limits, caller).settle(CENT, 1)
    with pytest.raises(BudgetExceeded):
        admit(limits, caller)
    limits.configure(house())
    admit(limits, caller).settle(CENT, 1)
    assert limits.held() == {}


def test_an_open_call_of_a_budget_that_is_gone_still_settles() -> None:
    limits = limits_of(house(budget(10 * CENT)))
    admission = admit(limits, key())
    limits.configure(house())
    admission.settle(CENT, 1)
    for _ in range(5):
        asyncio.run(limits.pool.tick())
    standing = limits.pool.local.peek_now("budget:1:2026-11", limit=10 * CENT)
    assert (standing.free, standing.outstanding) == (9 * CENT, 0)


def test_an_unchanged_snapshot_keeps_the_slices() -> None:
    setup = house(budget(100 * CENT))
    limits = limits_of(setup)
    admit(limits, key()).settle(CENT, 1)
    held = limits.held()
    assert held["budget:1:2026-11"] > 0
    limits.configure(setup)
    limits.configure(house(budget(100 * CENT)))
    assert limits.held() == held
