"""How figures are written for people. Rounding here is for the eye only: what is summed or exported is never rounded."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")


def dollars(amount: Decimal) -> str:
    """`$1,234.56`; below a cent the first two digits that say something, such as `$0.0042`."""
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    if amount == 0:
        return "$0"
    if amount >= CENT:
        return f"{sign}${amount.quantize(CENT, rounding=ROUND_HALF_EVEN):,f}"
    shown = amount.quantize(Decimal(1).scaleb(amount.adjusted() - 1), rounding=ROUND_HALF_EVEN)
    return f"{sign}${shown.normalize():f}"


def compact(count: int) -> str:
    """`950`, `12.3k`, `4.5M`, `1.2B`."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.1f}".removesuffix(".0") + letter
    return str(count)
