"""Parts of a call that holds its place already, and work that nobody could refuse any more."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.errors import BudgetExceeded, RateLimited
from dataplane.limits import budget_account
from dataplane.money import Rates
from dataplane.snapshot import LimitRecord, PriceRecord
from tests.dataplane.budgeted import CENT, NOON, admit, budget, house, key, left, limits_of

ACCOUNT = budget_account(1, "month", NOON)


def test_a_part_takes_no_place_beside_the_call_that_it_is_part_of() -> None:
    limits, caller = limits_of(house()), key(concurrency=1)
    whole = admit(limits, caller)
    parts = [limits.try_admit(caller, reserve=CENT, tokens=1, model="m", within=True) for _ in range(3)]
    assert None not in parts
    with pytest.raises(RateLimited):
        admit(limits, caller)
    for part in parts:
        assert part is not None
        part.settle(1, 1)
    with pytest.raises(RateLimited):
        admit(limits, caller)
    whole.settle(None, 0)
    admit(limits, caller).settle(None, 0)


def test_a_part_is_a_request_and_is_paid_as_any() -> None:
    limits, caller = limits_of(house(budget(CENT), team=LimitRecord(rpm=2))), key()
    admit(limits, caller, reserve=0).settle(None, 0)
    part = limits.try_admit(caller, reserve=CENT, tokens=1, model="m", within=True)
    assert part is not None
    assert (part.reserved, [name.partition("@")[0] for name in part.accounts]) == (CENT, [ACCOUNT])
    part.settle(CENT, 1)
    with pytest.raises(RateLimited):
        asyncio.run(limits.admit(caller, reserve=0, tokens=1, model="m", within=True))


def test_a_part_that_can_not_be_paid_is_refused() -> None:
    limits, caller = limits_of(house(budget(CENT))), key()
    admit(limits, caller).settle(CENT, 1)
    with pytest.raises(BudgetExceeded):
        asyncio.run(limits.admit(caller, reserve=CENT, tokens=1, model="m", within=True))


def test_what_is_owed_takes_nothing_and_counts_in_full() -> None:
    limits, caller = limits_of(house(budget(5 * CENT), team=LimitRecord(rpm=1, concurrency=1))), key()
    owed = [limits.owe(caller, model="m") for _ in range(3)]
    assert [(admission.reserved, len(admission.accounts)) for admission in owed] == [(0, 1)] * 3
    for admission in owed:
        admission.settle(CENT, 1)
    assert left(limits, ACCOUNT, 5 * CENT) == 2 * CENT
    admit(limits, caller, reserve=0).settle(None, 0)


@given(st.lists(st.integers(0, 3 * CENT), max_size=6))
def test_what_is_owed_beyond_a_budget_leaves_nothing_to_spend(costs: list[int]) -> None:
    limits, caller = limits_of(house(budget(5 * CENT))), key()
    for cost in costs:
        limits.owe(caller, model="m").settle(cost, 0)
    if sum(costs) >= 5 * CENT:
        with pytest.raises(BudgetExceeded):
            admit(limits, caller, reserve=1)
    else:
        admit(limits, caller, reserve=1).settle(1, 0)


prices = st.integers(0, 100).map(str)


@given(prices, prices, st.none() | prices, st.none() | prices, st.integers(0, 500), st.integers(0, 500))
def test_what_is_reserved_for_speech_covers_whatever_is_spoken(
    text_in: str, text_out: str, audio_in: str | None, audio_out: str | None, went: int, came: int
) -> None:
    rates = Rates(PriceRecord(ref="r", input=text_in, output=text_out, audio_input=audio_in, audio_output=audio_out))
    most = rates.reserve(input_tokens=500, output_tokens=500, spoken=True) * 10**9
    assert rates.charge({"input": 500, "output": 500, "audio_input": went, "audio_output": came}) <= most
    assert rates.reserve(input_tokens=500, output_tokens=500) <= most
