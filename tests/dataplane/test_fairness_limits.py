"""Requests, tokens and calls at a time: what limits them, and what an admission tells of it."""

from __future__ import annotations

import asyncio

import pytest

from dataplane.authority import LocalAuthority
from dataplane.errors import AuthorityUnavailable, BudgetExceeded, RateLimited
from dataplane.limits import Limits
from dataplane.snapshot import LimitRecord
from tests.dataplane.budgeted import CENT, Clock, admit, budget, house, key, limits_of


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
