"""Which accounts a call takes from, and what those are told who do not get in."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.authority import LocalAuthority
from dataplane.errors import AuthorityUnavailable, BudgetExceeded, RateLimited
from dataplane.limits import Limits, budget_account, window, window_end
from dataplane.snapshot import KeyRecord, LimitRecord, PrincipalRecord
from tests.dataplane.budgeted import Clock, budget, house, key

CENT = 10_000_000


def limits_of(setup: object, *, clock: Clock | None = None, max_wait: float = 10.0) -> Limits:
    limits = Limits(LocalAuthority(), clock=clock or Clock(), max_wait=max_wait)
    limits.configure(setup)
    return limits


def admit(limits: Limits, caller: KeyRecord, *, reserve: int | None = CENT, tokens: int = 1):
    """What a caller gets who can't wait: the admission or the refusal."""
    admission = limits.try_admit(caller, reserve=reserve, tokens=tokens, model="m")
    if admission is None:
        return asyncio.run(limits.admit(caller, reserve=reserve, tokens=tokens, model="m"))
    return admission


def left(limits: Limits, account: str, limit: int) -> int:
    """What could still be spent of an account by anyone."""
    for lease in limits.pool.known():
        lease.report(keep=False)
    standing = limits.pool.local.peek_now(account, limit=limit)
    return standing.free


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


def test_requests_per_minute_are_refused_until_the_minute_ends() -> None:
    clock = Clock()
    limits = limits_of(house(), clock=clock)
    caller = key(rpm=3)
    for _ in range(3):
        admit(limits, caller).settle(0, 1)
    with pytest.raises(RateLimited) as caught:
        admit(limits, caller)
    assert caught.value.status == 429
    assert caught.value.message == "The limit of key:1, 3 requests per minute, is reached."
    assert caught.value.retry_after == 30
    assert caught.value.headers == (
        ("retry-after", "30"),
        ("x-ratelimit-limit-requests", "3"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "30s"),
    )
    clock.now += 30
    admit(limits, caller).settle(0, 1)


@pytest.mark.parametrize("level", ["team", "organization"])
def test_limits_of_every_team_above_apply(level: str) -> None:
    limits = limits_of(house(**{level: LimitRecord(rpm=1)}))
    admit(limits, key()).settle(0, 1)
    with pytest.raises(RateLimited, match={"team": "team:2", "organization": "team:3"}[level]):
        admit(limits, key())


def test_keys_of_one_team_share_its_limit() -> None:
    limits = limits_of(house(team=LimitRecord(rpm=4)))
    for key_id in range(4):
        admit(limits, key(key_id)).settle(0, 1)
    with pytest.raises(RateLimited, match="team:2"):
        admit(limits, key(5))


def test_tokens_are_reserved_by_estimate_and_corrected_when_they_are_known() -> None:
    limits = limits_of(house())
    caller = key(tpm=1000)
    first = admit(limits, caller, tokens=800)
    with pytest.raises(RateLimited, match="1000 tokens per minute") as caught:
        admit(limits, caller, tokens=300)
    assert ("x-ratelimit-remaining-tokens", "200") in caught.value.headers
    first.settle(0, 500)
    second = admit(limits, caller, tokens=300)
    second.settle(0, 700)
    assert dict(second.headers())["x-ratelimit-remaining-tokens"] == "0"
    with pytest.raises(RateLimited):
        admit(limits, caller, tokens=1)


def test_more_tokens_than_a_minute_has_are_refused_at_once() -> None:
    with pytest.raises(RateLimited):
        admit(limits_of(house()), key(tpm=10), tokens=11)


def test_a_slot_is_free_again_when_the_call_is_settled() -> None:
    limits = limits_of(house())
    caller = key(concurrency=2)
    first, second = admit(limits, caller), admit(limits, caller)
    with pytest.raises(RateLimited) as caught:
        admit(limits, caller)
    assert caught.value.message == "The limit of key:1, 2 calls at a time, is reached."
    assert caught.value.retry_after == 1
    first.settle(0, 1)
    third = admit(limits, caller)
    second.settle(0, 1)
    third.settle(0, 1)
    admit(limits, caller).settle(0, 1)


def test_a_limit_of_zero_lets_nobody_in() -> None:
    for limit in ({"rpm": 0}, {"concurrency": 0}):
        with pytest.raises(RateLimited):
            admit(limits_of(house()), key(**limit))


def test_changed_limits_of_a_key_apply_with_its_new_record() -> None:
    limits = limits_of(house())
    admit(limits, key(rpm=1)).settle(0, 1)
    admit(limits, key(rpm=2)).settle(0, 1)
    with pytest.raises(RateLimited):
        admit(limits, key(rpm=2))
    admit(limits, key()).settle(0, 1)


def test_a_teams_limits_that_are_gone_no_longer_apply() -> None:
    limits = limits_of(house(team=LimitRecord(rpm=1, concurrency=1)))
    caller = key()
    admit(limits, caller)
    with pytest.raises(RateLimited):
        admit(limits, caller)
    limits.configure(house())
    admit(limits, caller).settle(0, 1)


def test_an_admission_tells_the_limits_closest_to_their_end() -> None:
    limits = limits_of(house(team=LimitRecord(rpm=5, tpm=10_000)))
    admission = admit(limits, key(rpm=100, tpm=500), tokens=100)
    assert admission.headers() == (
        ("x-ratelimit-limit-requests", "5"),
        ("x-ratelimit-remaining-requests", "4"),
        ("x-ratelimit-reset-requests", "30s"),
        ("x-ratelimit-limit-tokens", "500"),
        ("x-ratelimit-remaining-tokens", "400"),
        ("x-ratelimit-reset-tokens", "30s"),
    )
    assert admit(limits_of(house()), key()).headers() == ()


def test_a_whole_minute_is_told_the_way_the_sdks_read_it() -> None:
    clock = Clock(1_795_348_800.0)
    assert dict(admit(limits_of(house(), clock=clock), key(rpm=5)).headers())["x-ratelimit-reset-requests"] == "1m0s"


def test_an_admission_names_the_accounts_that_it_was_reserved_from() -> None:
    limits = limits_of(house(budget(10 * CENT), budget(10 * CENT, subject="key:1", budget_id=2), budget(1, budget_id=3, mode="soft")))
    admission = admit(limits, key(rpm=10))
    epoch = limits.pool.authority.epoch
    assert set(admission.accounts) == {f"budget:1:2026-11@{epoch}", f"budget:2:2026-11@{epoch}"}
    assert admission.reserved == CENT


def test_an_authority_that_is_not_seeded_refuses_money_and_counts_the_rest() -> None:
    limits = Limits(LocalAuthority(seeded=False), clock=Clock())
    limits.configure(house(budget(CENT)))
    admit(limits, key(rpm=1), reserve=None).settle(None, 1)
    with pytest.raises(AuthorityUnavailable):
        admit(limits, key(), reserve=1)


async def test_seeding_opens_the_budget_with_what_the_ledger_says() -> None:
    authority = LocalAuthority(seeded=False)
    limits = Limits(authority, clock=Clock())
    limits.configure(house(budget(3 * CENT)))
    await authority.reseed([])
    await authority.seed("budget:1:2026-11", 2 * CENT)
    await authority.seed("budget:1:2026-11", 0)
    (await limits.admit(key(), reserve=CENT, tokens=1, model="m")).settle(CENT, 1)
    with pytest.raises(BudgetExceeded):
        await limits.admit(key(), reserve=CENT, tokens=1, model="m")


async def test_closing_gives_everything_back_and_lets_nobody_in() -> None:
    limits = limits_of(house(budget(10 * CENT)))
    await limits.start()
    caller = key(concurrency=3)
    (await limits.admit(caller, reserve=CENT, tokens=1, model="m")).settle(CENT, 1)
    open_call = await limits.admit(caller, reserve=9 * CENT, tokens=1, model="m")
    waiting = asyncio.create_task(limits.admit(caller, reserve=CENT, tokens=1, model="m"))
    await asyncio.sleep(0)
    await limits.close()
    with pytest.raises(AuthorityUnavailable, match="shutting down"):
        await waiting
    assert limits.held() == {"budget:1:2026-11": 9 * CENT, "conc:key:1": 1}
    open_call.settle(CENT, 1)


def test_many_keys_do_not_stay_in_memory() -> None:
    limits = limits_of(house(team=LimitRecord(concurrency=1000)))
    for key_id in range(300):
        admit(limits, key(key_id, rpm=10)).settle(0, 1)
    limits.pool.clock.now += 120

    async def rounds() -> None:
        for _ in range(2400):
            await limits.pool.tick()

    asyncio.run(rounds())
    assert limits.pool.known() == []
    admit(limits, key(1, rpm=10)).settle(0, 1)
