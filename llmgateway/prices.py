"""Prices of deployments as the usage app resolves them, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass

from usage import prices

from dataplane.snapshot import PriceRecord

OVERRIDE, CATALOGUE, UNPRICED = SOURCES = ("override", "catalogue", "unpriced")

METERS = {
    "input": "Input",
    "output": "Output",
    "cached_read": "Cached input, read",
    "cache_write_5m": "Cache write, 5 minutes",
    "cache_write_1h": "Cache write, 1 hour",
    "audio_input": "Audio input",
    "audio_output": "Audio output",
    "request": "Each request",
    "image": "Each image",
    "second": "Each second",
}
"""Meters of a price by their name in a PriceRecord: USD per million tokens, the last three USD per one."""


@dataclass(frozen=True, slots=True)
class PriceTag:
    """A price and its source: override (set on the model), catalogue (the vendor's list), or unpriced."""

    record: PriceRecord | None
    source: str

    @property
    def amounts(self) -> dict[str, str]:
        """Amount by meter, of those that have a price."""
        return {meter: amount for meter in METERS if (amount := getattr(self.record, meter, None)) is not None}

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The same for people: label and amount."""
        return [(METERS[meter], amount) for meter, amount in self.amounts.items()]


class PriceBook:
    """Resolves many prices with a bounded number of queries: what was asked once is not asked again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], PriceRecord | None] = {}

    def price(self, *, vendor: str, upstream_model: str, model_name: str) -> PriceRecord | None:
        key = (vendor, upstream_model, model_name)
        if key not in self._known:
            self._known[key] = prices.resolve(vendor=vendor, upstream_model=upstream_model, model_name=model_name)
        return self._known[key]

    def tag(self, *, vendor: str, upstream_model: str, model_name: str) -> PriceTag:
        record = self.price(vendor=vendor, upstream_model=upstream_model, model_name=model_name)
        if record is None:
            return PriceTag(None, UNPRICED)
        own = self.price(vendor="", upstream_model="", model_name=model_name) if model_name else None
        return PriceTag(record, CATALOGUE if own is None else OVERRIDE)


def override_of(model_name: str, *, book: PriceBook | None = None) -> dict[str, str] | None:
    """The model's price of its own by meter, None when the catalogue's applies."""
    record = (book or PriceBook()).price(vendor="", upstream_model="", model_name=model_name)
    return None if record is None else PriceTag(record, OVERRIDE).amounts
