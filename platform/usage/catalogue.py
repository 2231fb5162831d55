"""What genai-prices says, in our meters. Read when the catalogue is seeded and to recognise a model under its other names;
a call is never priced from the package itself.

What our meters can't hold is told in the note: tiers by length (the base tier is taken), hours of the day, tool fees. A
price in units that we don't count (characters, pages) would be too low without them, so it is left out as unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

STEP = Decimal("0.0000000001")

_TOKENS = {
    "input": ("input_mtok", "input_text_mtok"),
    "output": ("output_mtok", "output_text_mtok", "output_image_mtok"),
    "cached_read": ("cache_read_mtok",),
    "cache_write_5m": ("cache_write_5m_mtok", "cache_write_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok",),
    "audio_input": ("input_audio_mtok",),
    "audio_output": ("output_audio_mtok",),
}
_UNITS = {"request": ("requests_kcount", Decimal(1000)), "second": ("audio_hours", Decimal(3600))}
_OTHER_HOURS = "input_audio_hours"

_UNCOUNTED = (
    "input_mchars",
    "input_document_kpages",
    "input_annotated_document_kpages",
    "input_text_messages_kcount",
    "rerank_searches_kcount",
)
_FEES = ("web_searches_kcount", "storage_searches_kcount", "social_searches_kcount", "code_executions_kcount")
_OTHER_TOKENS = (
    "input_image_mtok",
    "output_image_mtok",
    "input_video_mtok",
    "output_video_mtok",
    "output_reasoning_mtok",
    "output_citation_mtok",
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A price of the list: `since` None means that the list names no beginning."""

    vendor: str
    model: str
    since: date | None
    meters: dict[str, Decimal]
    note: str


def listed() -> Iterator[Listed]:
    """Every price that we can count, each model's in the order of time. A model without any is left out."""
    from genai_prices.data_snapshot import get_snapshot

    for provider in get_snapshot().providers:
        for model in provider.models:
            for since, prices, by_hour in _dated(model.prices):
                meters, notes = _meters(prices)
                if meters is not None:
                    notes += ["some hours of the day have another price; this is the dearest"] if by_hour else []
                    yield Listed(provider.id, model.id, since, meters, "; ".join(notes)[:500])


@lru_cache(maxsize=20_000)
def canonical(vendor: str, upstream_model: str) -> tuple[str, str] | None:
    """Vendor and model under which the list has this model: `gpt-4o-mini-2024-07-18` is `gpt-4o-mini`, and a model that a
    cloud resells may be listed with its maker. None when the list does not know it."""
    from genai_prices.data_snapshot import get_snapshot

    providers = get_snapshot().providers
    by_id = {provider.id: provider for provider in providers}
    provider = by_id.get(vendor)
    model = provider.find_model(upstream_model) if provider is not None else None
    if provider is None or model is not None:
        return None if model is None else (vendor, model.id)
    for maker in provider.fallback_model_providers or ():
        if maker in by_id and (model := by_id[maker].find_model(upstream_model)) is not None:
            return maker, model.id
    return None


def _dated(prices: Any) -> list[tuple[date | None, Any, bool]]:
    """(since, prices, whether some hours of the day have another price). Of prices by hour the dearest is taken."""
    if not isinstance(prices, list):
        return [(None, prices, False)]
    dated: dict[date | None, Any] = {}
    by_hour = []
    for item in prices:
        if hasattr(item.constraint, "start_time"):
            by_hour.append(item.prices)
        else:
            dated[getattr(item.constraint, "start_date", None)] = item.prices
    ordered = sorted(dated.items(), key=lambda item: item[0] or date.min)
    found = [(since, found, False) for since, found in ordered]
    if by_hour and found:
        since, standard, _ = found[-1]
        found[-1] = (since, max((standard, *by_hour), key=lambda price: _base(getattr(price, "output_mtok", None)) or Decimal(0)), True)
    return found


def _meters(prices: Any) -> tuple[dict[str, Decimal] | None, list[str]]:
    """None when it is not a price that our meters can express."""
    notes: list[str] = []
    if any(getattr(prices, name, None) is not None for name in _UNCOUNTED):
        return None, notes
    meters: dict[str, Decimal] = {}
    for meter, names in _TOKENS.items():
        value = next((found for name in names if (found := getattr(prices, name, None)) is not None), None)
        if value is not None:
            meters[meter] = (_base(value) or Decimal(0)).quantize(STEP)
            if hasattr(value, "tiers"):
                starts = ", ".join(f"{_base(tier.price)} from {tier.start:,} tokens" for tier in value.tiers)
                notes.append(f"{meter}: {starts}; not modelled")
    for meter, (name, per) in _UNITS.items():
        value = _base(getattr(prices, name, None) or (getattr(prices, _OTHER_HOURS, None) if meter == "second" else None))
        if value is not None:
            meters[meter] = (value / per).quantize(STEP)
    if not meters:
        return None, notes
    left_out = [name for name in (*_FEES, *_OTHER_TOKENS) if getattr(prices, name, None) is not None]
    notes += [f"apart and not modelled: {', '.join(left_out)}"] if left_out else []
    return {"input": Decimal(0), "output": Decimal(0), **meters}, notes


def _base(value: Any) -> Decimal | None:
    base: Decimal | None = getattr(value, "base", value)
    return base
