"""A model's own price, which goes before the catalogue's for every deployment of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from audit import trail
from audit.models import AuditEvent
from identity.models import User
from llmgateway.models import Model
from llmgateway.prices import METERS
from usage import actions as usage_actions
from usage.models import Price

BEGUN = "llmgateway.price.begin"

ALIASES = {"cached_input": "cached_read", "cache_write": "cache_write_5m"}
"""Names of the config file's shape for meters that the ledger tells more exactly."""


@transaction.atomic
def set_model_price(*, actor: User | None, model: Model, price: Mapping[str, Any] | None) -> None:
    """`price` maps meters (or their config names) to USD per million tokens, as text or decimals; input and output are
    needed. None takes the model's own price away: from then on the catalogue's applies."""
    given = None if price is None else _meters(price)
    try:
        usage_actions.set_price(actor=actor, model_name=model.name, **(given or {}))
    except ValidationError as error:
        raise ValidationError({"price": _messages(error)}) from None


@transaction.atomic
def announce_begun_prices(*, actor: User | None) -> int:
    """Tells the trail, once a day, that prices which were stated earlier begin today: that is what has them published.
    Returns how many begin."""
    today = datetime.now(UTC).date()
    begun = list(Price.objects.filter(valid_from=today, created_at__date__lt=today, withdrawn_at=None).order_by("pk"))
    if not begun or AuditEvent.objects.filter(action=BEGUN, at__date=today).exists():
        return 0
    extra = {"day": today, "prices": [price.ref for price in begun[:100]], "count": len(begun)}
    trail.record(actor=actor, action=BEGUN, target=begun[0], changes={}, extra=extra)
    return len(begun)


def _messages(error: ValidationError) -> list[str]:
    """The meter that is wrong is part of a price here, not a field of the model."""
    if not hasattr(error, "error_dict"):
        return error.messages
    return [f"{meter}: {message}" for meter, messages in error.message_dict.items() for message in messages]


def _meters(price: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(price, Mapping) or not price:
        raise ValidationError({"price": "Expected an object such as {input: '0.15', output: '0.60'}."})
    named = {ALIASES.get(str(name), str(name)): amount for name, amount in price.items()}
    if unknown := sorted(set(named) - set(METERS)):
        raise ValidationError({"price": f"Unknown meter {', '.join(unknown)}; expected some of {', '.join(METERS)}."})
    return named
