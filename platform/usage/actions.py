"""Every write of this app that a person or a file asks for. Each action takes `actor` (None is the system), runs in a
transaction and leaves one audit row per changed object. They raise ValidationError for bad input and PermissionDenied
for too little power. The ledger itself is written by `usage.ledger.record`, from journals and by nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from adminkit import permissions
from audit import trail
from dataplane import money
from identity import guards
from identity.models import APIKey, Team, User
from usage.models import Budget, Price, UnpricedModel
from usage.models.price import METERS

BUDGET_FIELDS = ("limit", "period", "mode")

Subject = Team | User | APIKey


@transaction.atomic
def set_price(
    *,
    actor: User | None,
    model_name: str,
    vendor: str = "",
    valid_from: date | None = None,
    note: str = "",
    **meters: Any,
) -> Price | None:
    """States a price of our own: of our model `model_name`, or of a vendor's model when `vendor` is given. `meters` are
    those of a PriceRecord in USD per million tokens (request, image, second: per one), `input` and `output` at least.

    Without any meter the present override is withdrawn and None returned. The same price again changes nothing."""
    _require_price_power(actor)
    if not any(amount is not None for amount in meters.values()):
        _withdraw_override(actor, model_name, vendor)
        return None
    stated = Price(
        source=Price.Source.OVERRIDE,
        vendor=vendor,
        model=model_name,
        valid_from=valid_from or datetime.now(UTC).date(),
        note=note,
        **_amounts(meters),
    )
    stated.full_clean(validate_constraints=False)
    before = _latest(stated)
    if before is not None and before.amounts == stated.amounts and before.note == stated.note:
        return before
    last = _same(stated).filter(valid_from=stated.valid_from).aggregate(last=Max("revision"))["last"] or 0
    stated.revision = last + 1
    stated.save(force_insert=True)
    changes = trail.diff({} if before is None else _told(before), _told(stated))
    trail.record(actor=actor, action="usage.price.set", target=stated, changes=changes, extra={"ref": stated.ref})
    return stated


@transaction.atomic
def withdraw_price(*, actor: User | None, price: Price) -> None:
    """From now on it counts no more; events priced by it keep naming it."""
    _require_price_power(actor)
    if price.withdrawn_at is None:
        price.withdrawn_at = timezone.now()
        price.save(update_fields=["withdrawn_at"])
        trail.record(actor=actor, action="usage.price.withdraw", target=price, changes={"withdrawn_at": [None, price.withdrawn_at]})


@transaction.atomic
def set_budget(*, actor: User | None, subject: Subject, limit: Decimal | str, period: str = "month", mode: str = "hard") -> Budget:
    """Gives a team, an account or a key a budget for that period, or changes the one it has."""
    require_budget_power(actor, subject)
    held = _budgets_of(subject).filter(period=period).first()
    budget = held or Budget(**{_field(subject): subject}, period=period)
    before = {} if held is None else {name: getattr(held, name) for name in BUDGET_FIELDS}
    budget.limit, budget.mode = _decimal("limit", limit), mode
    changes = trail.diff(before, {name: getattr(budget, name) for name in BUDGET_FIELDS})
    if changes:
        budget.full_clean()
        budget.save()
        trail.record(
            actor=actor, action=f"usage.budget.{'change' if held else 'set'}", target=budget, changes=changes, extra=_whose(budget)
        )
    return budget


@transaction.atomic
def remove_budget(*, actor: User | None, budget: Budget) -> None:
    require_budget_power(actor, budget.holder)
    changes = {name: [getattr(budget, name), None] for name in BUDGET_FIELDS}
    trail.record(actor=actor, action="usage.budget.remove", target=budget, changes=changes, extra=_whose(budget))
    budget.delete()


@transaction.atomic
def resolve_alarm(*, actor: User | None, alarm: UnpricedModel) -> None:
    """Somebody has seen to it. It comes back when the same model is used without a price again."""
    _require_price_power(actor)
    if alarm.resolved_at is None:
        alarm.resolved_at = timezone.now()
        alarm.save(update_fields=["resolved_at"])
        trail.record(actor=actor, action="usage.alarm.resolve", target=alarm, changes={"resolved_at": [None, alarm.resolved_at]})


def budget_of(subject: Subject, period: str) -> Budget | None:
    found: Budget | None = _budgets_of(subject).filter(period=period).first()
    return found


def require_budget_power(actor: User | None, subject: Subject | None) -> None:
    """Nobody widens the budget they spend from: a team's is set from above it, an account's and a key's by its team."""
    if isinstance(subject, Team):
        allowed = guards.reaches_team(actor, subject.parent)
    else:
        owner = subject.owner if isinstance(subject, APIKey) else subject
        allowed = guards.rules_all(actor) or (owner is not None and owner != actor and guards.reaches_team(actor, owner.team))
    if not allowed:
        raise PermissionDenied("That budget is not yours to set.")


def _require_price_power(actor: User | None) -> None:
    """A price is the whole house's: it takes the model permission, which belongs to no team."""
    if guards.rules_all(actor):
        return
    if actor is None or not actor.is_active or not actor.has_perm(permissions.codename(Price, "change")):
        raise PermissionDenied("Prices are not yours to set.")


def _withdraw_override(actor: User | None, model_name: str, vendor: str) -> None:
    for price in Price.objects.filter(source=Price.Source.OVERRIDE, vendor=vendor, model=model_name, withdrawn_at=None):
        withdraw_price(actor=actor, price=price)


def _same(price: Price) -> Any:
    return Price.objects.filter(source=price.source, vendor=price.vendor, model=price.model)


def _latest(price: Price) -> Price | None:
    """What would be in force on the day from which `price` is to hold."""
    found = _same(price).filter(valid_from__lte=price.valid_from, withdrawn_at=None).order_by("-valid_from", "-revision").first()
    return found if isinstance(found, Price) else None


def _amounts(meters: Mapping[str, Any]) -> dict[str, Decimal]:
    if unknown := sorted(set(meters) - set(METERS)):
        raise ValidationError({"price": f"Unknown meter {', '.join(unknown)}; expected some of {', '.join(METERS)}."})
    given = {meter: _decimal(meter, amount) for meter, amount in meters.items() if amount is not None}
    for meter in ("input", "output"):
        if meter not in given:
            raise ValidationError({meter: f"A price needs {meter}: USD per million tokens."})
    for meter, amount in given.items():
        if amount < 0:
            raise ValidationError({meter: "A price can't be negative."})
    return given


def _decimal(name: str, amount: Any) -> Decimal:
    """Text and decimals; a float has lost the number already."""
    if isinstance(amount, bool | float):
        raise ValidationError({name: "Expected a decimal number as text, such as '0.15'."})
    try:
        number = Decimal(str(amount).strip())
    except InvalidOperation:
        raise ValidationError({name: "Expected a decimal number, such as 0.15."}) from None
    if not number.is_finite():
        raise ValidationError({name: "Expected a finite number."})
    return number


def _told(price: Price) -> dict[str, Any]:
    amounts = {meter: money.to_text(amount) for meter, amount in price.amounts.items()}
    return {**amounts, "valid_from": price.valid_from, **({"note": price.note} if price.note else {})}


def _field(subject: Subject) -> str:
    return "team" if isinstance(subject, Team) else "key" if isinstance(subject, APIKey) else "user"


def _budgets_of(subject: Subject) -> Any:
    return Budget.objects.filter(**{f"{_field(subject)}_id": subject.pk})


def _whose(budget: Budget) -> dict[str, str]:
    return {"subject": budget.subject, "name": budget.subject_name}
