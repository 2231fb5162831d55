"""Money arithmetic, the one place for it. Decimals end to end; limits count in integers of 1e-9 USD, rounded up.

A price is USD per million tokens. Costs keep twelve decimals at the most, as the ledger does (24,12).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from dataplane.snapshot import PriceRecord

MILLION = Decimal(1_000_000)
NANO = Decimal(1_000_000_000)
QUANTUM = Decimal("0.000000000001")

TOKEN_METERS = ("input", "cached_read", "cache_write_5m", "cache_write_1h", "output")
AUDIO_METERS = {"audio_input": "input", "audio_output": "output"}
UNIT_METERS = {"requests": "request", "images": "image", "seconds": "second"}


class Rates:
    """A price ready for arithmetic. Owns the fallbacks: a cached or written token without a price of its own costs what
    uncached input costs, an audio token what a text token of its direction costs. Audio tokens are counted inside
    `input` and `output`, so their rate here is the difference."""

    __slots__ = ("input_nano", "output_nano", "per_token", "per_unit", "ref")

    def __init__(self, price: PriceRecord) -> None:
        self.ref = price.ref
        write = price.input if price.cache_write_5m is None else price.cache_write_5m
        base = {"cached_read": price.input, "cache_write_5m": price.input, "cache_write_1h": write}
        self.per_token: dict[str, Decimal] = {}
        for meter in TOKEN_METERS:
            value = getattr(price, meter)
            self.per_token[meter] = Decimal(base[meter] if value is None else value) / MILLION
        for meter, inside in AUDIO_METERS.items():
            value = getattr(price, meter)
            if value is not None:
                self.per_token[meter] = Decimal(value) / MILLION - self.per_token[inside]
        self.per_unit = {meter: Decimal(value) for meter, field in UNIT_METERS.items() if (value := getattr(price, field)) is not None}
        dearest = max(self.per_token["input"], self.per_token["cache_write_5m"], self.per_token["cache_write_1h"])
        self.input_nano = dearest * NANO
        self.output_nano = self.per_token["output"] * NANO

    def cost(self, usage: Mapping[str, int]) -> Decimal:
        """Exact cost of what was used. `reasoning` is not charged apart, it is in `output`."""
        total = Decimal(0)
        for meter, count in usage.items():
            rate = self.per_token.get(meter)
            if rate is None:
                rate = self.per_unit.get(meter)
            if rate is not None and count:
                total += rate * count
        if (fee := self.per_unit.get("requests")) is not None and "requests" not in usage:
            total += fee
        return total

    def reserve(self, *, input_tokens: int, output_tokens: int) -> int:
        """The most that a call of this size can cost, in 1e-9 USD: every input token at the dearest input rate."""
        nano = self.input_nano * input_tokens + self.output_nano * output_tokens
        if (fee := self.per_unit.get("requests")) is not None:
            nano += fee * NANO
        return int(nano.to_integral_value(rounding=ROUND_CEILING))


FREE = Rates(PriceRecord(ref="free", input="0", output="0", request="0"))
"""Of a tool or an agent that no price was put on: its calls cost nothing, which is known, unlike a model's."""


def per_call(ref: str, price: str | None) -> Rates:
    """Rates of what costs `price` USD per call and nothing per token."""
    return FREE if price is None else Rates(PriceRecord(ref=f"{ref}@{price}", input="0", output="0", request=price))


def to_nano(amount: Decimal) -> int:
    """USD to integers of 1e-9 USD, rounded up: a limit is never overrun by rounding."""
    return int((amount * NANO).to_integral_value(rounding=ROUND_CEILING))


def from_nano(amount: int) -> Decimal:
    return Decimal(amount) / NANO


def to_text(amount: Decimal) -> str:
    """The form in which a cost is journaled and stored: plain digits, twelve decimals at the most."""
    text = format(amount.quantize(QUANTUM, rounding=ROUND_HALF_EVEN), "f")
    return text.rstrip("0").rstrip(".") or "0"
