"""Prices of deployments as the usage app resolves them, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from dataplane.snapshot import PriceRecord
from usage.prices import Name, in_force, names_of

if TYPE_CHECKING:
    from llmgateway.models import Deployment

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


NAMES_PER_QUERY = 250
"""A query of names is a chain of ORs, of which SQLite takes a thousand."""


Key = tuple[str, str, str]
"""Vendor, its name for the model, and our name for it ("" for none)."""


@dataclass(frozen=True, slots=True)
class PriceTag:
    """A price and its source: override (set by us, on the model or on a vendor's), catalogue (the list), or unpriced."""

    record: PriceRecord | None
    source: str
    place: str = ""
    """The source in words."""

    @property
    def amounts(self) -> dict[str, str]:
        """Amount by meter, of those that have a price."""
        return {meter: amount for meter in METERS if (amount := getattr(self.record, meter, None)) is not None}

    @property
    def lines(self) -> list[tuple[str, str]]:
        """The same for people: label and amount in dollars."""
        return [(METERS[meter], dollars(amount)) for meter, amount in self.amounts.items()]

    @property
    def short(self) -> str:
        """Input and output in one line; output only where it is charged."""
        if self.record is None:
            return ""
        output = f" · {dollars(self.record.output)} out" if self.record.output.strip("0.") else ""
        return f"{dollars(self.record.input)} in{output}"


def dollars(amount: str) -> str:
    """Every digit of a price, two after the point at the least."""
    whole, _, digits = amount.partition(".")
    return f"${whole}.{digits.rstrip('0').ljust(2, '0')}"


class PriceBook:
    """Resolves many prices with few queries, all as of one moment. What a page or a section needs is best named at once;
    what was not named is fetched when it is asked for."""

    def __init__(self, rows: Iterable[Deployment] = ()) -> None:
        """`rows` are deployments with their provider and model loaded."""
        self._at = datetime.now(UTC)
        self._held: dict[Name, PriceRecord | None] = {}
        self._found: dict[Key, PriceRecord | None] = {}
        self.prepare((row.provider.vendor, row.upstream_model, row.model.name) for row in rows)

    def prepare(self, wanted: Iterable[Key]) -> None:
        """Fetches the prices that will be asked for."""
        new = {key: names_of(*key) for key in wanted if key not in self._found}
        names = {name for found in new.values() for name in found} - self._held.keys()
        for chunk in _batches(sorted(names), NAMES_PER_QUERY):
            held = in_force(chunk, at=self._at)
            self._held |= {name: price.record() if (price := held.get(name)) else None for name in chunk}
        for key, found in new.items():
            self._found[key] = next((record for name in found if (record := self._held[name]) is not None), None)

    def price(self, *, vendor: str, upstream_model: str, model_name: str) -> PriceRecord | None:
        key = (vendor, upstream_model, model_name)
        if key not in self._found:
            self.prepare([key])
        return self._found[key]

    def tag(self, *, vendor: str, upstream_model: str, model_name: str) -> PriceTag:
        record = self.price(vendor=vendor, upstream_model=upstream_model, model_name=model_name)
        if record is None:
            return PriceTag(None, UNPRICED, "unpriced")
        if not record.ref.startswith("override:"):
            return PriceTag(record, CATALOGUE, "catalogue")
        own = record.ref.startswith(f"override:{model_name}@")
        return PriceTag(record, OVERRIDE, "set on this model" if own else "our terms with the vendor")

    def tag_of(self, row: Deployment) -> PriceTag:
        return self.tag(vendor=row.provider.vendor, upstream_model=row.upstream_model, model_name=row.model.name)

    def override_of(self, model_name: str) -> dict[str, str] | None:
        """The model's price of its own by meter, None when the catalogue's applies."""
        record = self.price(vendor="", upstream_model="", model_name=model_name)
        return None if record is None else PriceTag(record, OVERRIDE).amounts


def override_of(model_name: str) -> dict[str, str] | None:
    return PriceBook().override_of(model_name)


def _batches(names: Iterable[Name], size: int) -> Iterator[list[Name]]:
    source = iter(names)
    while chunk := list(islice(source, size)):
        yield chunk
