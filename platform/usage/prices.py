"""Which price holds: a model's own before the vendor terms we have before the vendor's list; of each the newest in force."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime

from django.db import models, transaction

from audit import trail
from dataplane.snapshot import PriceRecord
from usage import catalogue
from usage.models import Price
from usage.models.price import METERS

Name = tuple[str, str, str]
"""Source, vendor, model."""


def resolve(vendor: str = "", upstream_model: str = "", *, model_name: str | None = None, at: datetime | None = None) -> PriceRecord | None:
    """The price of a call of our model `model_name` to `upstream_model` at `vendor`, at that time (now). None: unknown."""
    price = find(vendor, upstream_model, model_name=model_name, at=at)
    return None if price is None else price.record()


def find(vendor: str = "", upstream_model: str = "", *, model_name: str | None = None, at: datetime | None = None) -> Price | None:
    """The same as a row."""
    names = names_of(vendor, upstream_model, model_name)
    held = in_force(names, at=at or datetime.now(UTC))
    return next((held[name] for name in names if name in held), None)


def names_of(vendor: str, upstream_model: str, model_name: str | None) -> list[Name]:
    """Under which names to look, best first."""
    names: list[Name] = [(Price.Source.OVERRIDE, "", model_name)] if model_name else []
    if vendor and upstream_model:
        listed = catalogue.canonical(vendor, upstream_model)
        exact = [(vendor, upstream_model)] + ([listed] if listed and listed != (vendor, upstream_model) else [])
        for source in (Price.Source.OVERRIDE, Price.Source.CATALOGUE):
            names += [(source, *name) for name in exact]
    return names


def in_force(names: Iterable[Name], *, at: datetime) -> dict[Name, Price]:
    """The prices that hold at that time, in one query."""
    wanted = set(names)
    # By vendor and by model apart, and matched here: a chain of thousands of alternatives takes a database seconds to plan.
    rows = (
        Price.objects.filter(vendor__in={vendor for _, vendor, _ in wanted}, model__in={model for _, _, model in wanted})
        .filter(models.Q(withdrawn_at=None) | models.Q(withdrawn_at__gt=at), valid_from__lte=at.astimezone(UTC).date())
        .order_by("valid_from", "revision")
    )
    found = {(row.source, row.vendor, row.model): row for row in rows}
    return {name: row for name, row in found.items() if name in wanted}


@transaction.atomic
def seed(*, today: date | None = None) -> int:
    """Brings the catalogue up to what the list says today; how many prices are new. Idempotent.

    A price without a beginning begins today, and so does one that changed without saying since when. A price announced
    for a later day that the list does not announce any more is withdrawn."""
    today = today or datetime.now(UTC).date()
    held: dict[tuple[str, str], list[Price]] = {}
    for price in Price.objects.filter(source=Price.Source.CATALOGUE).order_by("valid_from", "revision"):
        held.setdefault((price.vendor, price.model), []).append(price)
    wanted: dict[tuple[str, str], list[catalogue.Listed]] = {}
    for listed in catalogue.listed():
        wanted.setdefault((listed.vendor, listed.model), []).append(listed)
    new: list[Price] = []
    for name, prices in wanted.items():
        new += _missing(prices, held.get(name, []), today)
    stale = [price.pk for name, prices in held.items() for price in _revoked(prices, wanted.get(name, []), today)]
    Price.objects.bulk_create(new, batch_size=500)
    Price.objects.filter(pk__in=stale).update(withdrawn_at=datetime.now(UTC))
    if new or stale:
        target = new[0] if new else Price.objects.get(pk=stale[0])
        counts = {"new": len(new), "withdrawn": len(stale)}
        trail.record(actor=None, action="usage.price.seed", target=target, changes={}, extra=counts)
    return len(new)


def _missing(listed: list[catalogue.Listed], held: list[Price], today: date) -> list[Price]:
    """Of one model's prices: the one in force today, if it is not what we hold, and those announced for later."""
    started = [price for price in listed if price.since is None or price.since <= today]
    later = [price for price in listed if price.since is not None and price.since > today]
    new = []
    if started:
        current = next((price for price in reversed(_standing(held)) if price.valid_from <= today), None)
        since = started[-1].since or today
        if current is None or _differs(current, started[-1]):
            new.append(_price(started[-1], since if current is None or since > current.valid_from else today, held))
    for price in later:
        same_day = next((found for found in reversed(_standing(held)) if found.valid_from == price.since), None)
        if price.since is not None and (same_day is None or _differs(same_day, price)):
            new.append(_price(price, price.since, held))
    return new


def _revoked(held: list[Price], listed: list[catalogue.Listed], today: date) -> list[Price]:
    announced = {price.since for price in listed}
    return [price for price in _standing(held) if price.valid_from > today and price.valid_from not in announced]


def _standing(held: list[Price]) -> list[Price]:
    return [price for price in held if price.withdrawn_at is None]


def _differs(price: Price, listed: catalogue.Listed) -> bool:
    return price.amounts != listed.meters


def _price(listed: catalogue.Listed, since: date, held: list[Price]) -> Price:
    revision = 1 + max((price.revision for price in held if price.valid_from == since), default=0)
    return Price(
        source=Price.Source.CATALOGUE,
        vendor=listed.vendor,
        model=listed.model,
        valid_from=since,
        revision=revision,
        note=listed.note,
        **{meter: amount for meter in METERS if (amount := listed.meters.get(meter)) is not None},
    )
