"""Whole atto-dollars say the same as decimals, to the last digit."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from hypothesis import given
from hypothesis import strategies as st

from dataplane.money import QUANTUM, Rates, atto_to_nano, atto_to_text, from_nano, per_call, to_nano, to_text
from dataplane.snapshot import PriceRecord

prices = st.decimals(min_value=0, max_value=10_000, places=10).map(str)
counts = st.integers(min_value=0, max_value=10**9)
METERS = ("input", "cached_read", "cache_write_5m", "cache_write_1h", "output")


@given(st.fixed_dictionaries(dict.fromkeys(METERS, prices)), st.fixed_dictionaries(dict.fromkeys(METERS, counts)))
def test_a_charge_is_the_exact_sum_of_counts_times_prices(price: dict[str, str], usage: dict[str, int]) -> None:
    rates = Rates(PriceRecord(ref="x", **price))
    exact = sum((Decimal(price[name]) * usage[name] / 1_000_000 for name in METERS), Decimal(0))
    assert Decimal(rates.charge(usage)).scaleb(-18) == exact
    assert atto_to_text(rates.charge(usage)) == to_text(exact)
    assert atto_to_nano(rates.charge(usage)) == int((exact * 10**9).to_integral_value(rounding=ROUND_CEILING))


@given(st.integers(min_value=0, max_value=10**30))
def test_a_cost_is_written_with_twelve_decimals_rounded_to_even(amount: int) -> None:
    text = atto_to_text(amount)
    assert Decimal(text) == Decimal(amount).scaleb(-18).quantize(QUANTUM, rounding=ROUND_HALF_EVEN)
    assert "e" not in text.lower()
    assert not text.endswith(".")


@given(prices, prices, st.integers(0, 10**6), st.integers(0, 10**6), st.data())
def test_what_is_reserved_covers_any_use_of_that_size(
    input_price: str, output_price: str, tokens: int, output: int, data: st.DataObject
) -> None:
    rates = Rates(PriceRecord(ref="x", input=input_price, output=output_price))
    used = {"input": data.draw(st.integers(0, tokens)), "output": data.draw(st.integers(0, output))}
    used["cached_read"] = tokens - used["input"]
    assert atto_to_nano(rates.charge(used)) <= rates.reserve(input_tokens=tokens, output_tokens=output)


def test_a_meter_without_a_price_of_its_own_costs_what_the_nearest_one_does() -> None:
    rates = Rates(PriceRecord(ref="x", input="3", output="15", cache_write_5m="3.75"))
    assert rates.cost({"cached_read": 1_000_000}) == 3
    assert rates.cost({"cache_write_1h": 1_000_000}) == Decimal("3.75")
    assert rates.cost({"output": 1_000_000, "audio_output": 1_000_000}) == 15


def test_audio_is_counted_in_the_tokens_and_priced_by_the_difference() -> None:
    rates = Rates(PriceRecord(ref="x", input="2.5", output="10", audio_input="40", audio_output="80"))
    assert (
        rates.cost({"input": 100, "audio_input": 40, "output": 50, "audio_output": 50}) == (60 * Decimal("2.5") + 40 * 40 + 50 * 80) / 10**6
    )


def test_reasoning_is_part_of_the_output_and_not_charged_again() -> None:
    rates = Rates(PriceRecord(ref="x", input="1", output="2"))
    assert rates.charge({"output": 10, "reasoning": 10}) == rates.charge({"output": 10})


def test_a_price_per_call_is_charged_once() -> None:
    rates = per_call("tool:weather/get", "0.002")
    assert rates.cost({"requests": 1}) == Decimal("0.002")
    assert rates.cost({}) == Decimal("0.002")
    assert per_call("tool:weather/get", None).charge({"requests": 1}) == 0


@given(st.decimals(min_value=0, max_value=10**9, places=12))
def test_a_limit_is_never_overrun_by_rounding(amount: Decimal) -> None:
    assert from_nano(to_nano(amount)) >= amount
    assert from_nano(to_nano(amount)) - amount < Decimal("1e-9")
