"""Money arithmetic, the one place for it. Decimals end to end; limits count in integers of 1e-9 USD, rounded up.

A price is USD per million tokens. Costs keep twelve decimals at the most, as the ledger does (24,12).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from dataplane.snapshot import PriceRecord

NANO = Decimal(1_000_000_000)
ATTO_PER_NANO = 10**9
QUANTUM = Decimal("0.000000000001")

TOKEN_METERS = ("input", "cached_read", "cache_write_5m", "cache_write_1h", "output")
AUDIO_METERS = {"audio_input": "input", "audio_output": "output"}
UNIT_METERS = {"requests": "request", "images": "image", "seconds": "second"}


class Rates:
    """A price ready for arithmetic, in whole numbers of 1e-18 USD (atto-dollars) per token or unit: exact, and a third of
    what decimals cost on every call.

    Owns the fallbacks: a cached or written token without a price of its own costs what uncached input costs, an audio
    token what a text token of its direction costs. Audio tokens are counted inside `input` and `output`, so their rate
    here is the difference."""

    __slots__ = ("_fee", "_input", "_output", "_rates", "_spoken_input", "_spoken_output", "ref")

    def __init__(self, price: PriceRecord) -> None:
        self.ref = price.ref
        write = price.input if price.cache_write_5m is None else price.cache_write_5m
        base = {"cached_read": price.input, "cache_write_5m": price.input, "cache_write_1h": write}
        self._rates: dict[str, int] = {}
        for meter in TOKEN_METERS:
            value = getattr(price, meter)
            self._rates[meter] = _per_token(base[meter] if value is None else value)
        for meter, inside in AUDIO_METERS.items():
            value = getattr(price, meter)
            if value is not None:
                self._rates[meter] = _per_token(value) - self._rates[inside]
        for meter, field in UNIT_METERS.items():
            if (value := getattr(price, field)) is not None:
                self._rates[meter] = _per_unit(value)
        self._fee = self._rates.get("requests")
        self._input = max(self._rates["input"], self._rates["cache_write_5m"], self._rates["cache_write_1h"])
        self._output = self._rates["output"]
        self._spoken_input = self._input + max(self._rates.get("audio_input", 0), 0)
        self._spoken_output = self._output + max(self._rates.get("audio_output", 0), 0)

    def charge(self, usage: Mapping[str, int]) -> int:
        """Exact cost of what was used, in 1e-18 USD. `reasoning` is not charged apart, it is in `output`."""
        rates, total = self._rates, 0
        for meter, count in usage.items():
            if count and meter in rates:
                total += rates[meter] * count
        if self._fee is not None and "requests" not in usage:
            total += self._fee
        return max(total, 0)  # what is told of sound may be more than there was, and cheaper than text: nobody is paid for it

    def cost(self, usage: Mapping[str, int]) -> Decimal:
        """The same in USD."""
        return Decimal(self.charge(usage)).scaleb(-18)

    def reserve(self, *, input_tokens: int, output_tokens: int, spoken: bool = False) -> int:
        """The most that a call of this size can cost, in 1e-9 USD: every input token at the dearest input rate. `spoken`:
        each token may be one of audio."""
        of_input, of_output = (self._spoken_input, self._spoken_output) if spoken else (self._input, self._output)
        return -(-(of_input * input_tokens + of_output * output_tokens + (self._fee or 0)) // ATTO_PER_NANO)


def _per_token(price: str) -> int:
    """USD per million tokens, of twelve decimals at the most, as 1e-18 USD per token."""
    return int((Decimal(price) * 10**12).to_integral_value(rounding=ROUND_HALF_EVEN))


def _per_unit(price: str) -> int:
    return int((Decimal(price) * 10**18).to_integral_value(rounding=ROUND_HALF_EVEN))


def atto_to_nano(amount: int) -> int:
    """1e-18 USD to 1e-9 USD, rounded up: a limit is never overrun by rounding."""
    return -(-amount // ATTO_PER_NANO)


def atto_to_text(amount: int) -> str:
    """1e-18 USD in the form of `to_text`: rounded half-even to the ledger's twelve decimals."""
    units, rest = divmod(amount, 10**6)
    if rest > 500_000 or (rest == 500_000 and units & 1):
        units += 1
    whole, part = divmod(units, 10**12)
    return f"{whole}.{part:012d}".rstrip("0") if part else str(whole)


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
