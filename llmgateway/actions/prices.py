"""A model's own price, which goes before the catalogue's for every deployment of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from identity.models import User
from llmgateway.models import Model
from llmgateway.prices import METERS
from usage import actions as usage_actions

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
