"""Writes to models. Deployments, fallbacks and price can come along, so that one file entry or form is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from audit import trail
from identity.models import User
from llmgateway.actions.deployments import set_deployments
from llmgateway.actions.fallbacks import set_fallbacks
from llmgateway.actions.fields import assign, public_fields
from llmgateway.actions.prices import set_model_price
from llmgateway.models import Model
from llmgateway.prices import override_of

FIELDS = (
    "name",
    "description",
    "strategy",
    "max_output",
    "cache_ttl",
    "first_token_timeout",
    "idle_timeout",
    "native_only",
    "owner_team",
    "discoverable",
    "enabled",
)


@transaction.atomic
def create_model(
    *,
    actor: User | None,
    name: str,
    deployments: Sequence[Mapping[str, Any]] = (),
    fallbacks: Sequence[str] = (),
    price: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Model:
    """`deployments`, `fallbacks` and `price` as their own actions take them; `fields` are further columns of FIELDS."""
    model = Model()
    assign(model, {"name": name, **fields}, allowed=FIELDS)
    model.full_clean()
    model.save(force_insert=True)
    changes = trail.diff({}, public_fields(model, FIELDS))
    trail.record(actor=actor, action="llmgateway.model.create", target=model, changes=changes)
    if deployments:
        set_deployments(actor=actor, model=model, deployments=deployments)
    if fallbacks:
        set_fallbacks(actor=actor, model=model, fallbacks=fallbacks)
    if price is not None:
        set_model_price(actor=actor, model=model, price=price)
    return model


@transaction.atomic
def update_model(*, actor: User | None, model: Model, **fields: Any) -> Model:
    """Changes the named columns. A name is never changed: grants, keys' callers, prices and the ledger refer to it."""
    model = _locked(model)
    if fields.get("name", model.name) != model.name:
        raise ValidationError({"name": "A model keeps its name: create a new one and let the old one fall back to it."})
    before = public_fields(model, FIELDS)
    assign(model, fields, allowed=FIELDS)
    model.full_clean()
    changes = trail.diff(before, public_fields(model, FIELDS))
    if changes:
        model.save()
        trail.record(actor=actor, action="llmgateway.model.update", target=model, changes=changes)
    return model


def enable_model(*, actor: User | None, model: Model) -> Model:
    return _switch(actor, model, enabled=True)


def disable_model(*, actor: User | None, model: Model) -> Model:
    """Callers then get the answer of a model that does not exist; fallback chains skip it."""
    return _switch(actor, model, enabled=False)


@transaction.atomic
def delete_model(*, actor: User | None, model: Model) -> None:
    """Refused while another model falls back to this one. Its deployments, its own chain, its own price and its grants go
    with it: a later model of the same name starts from nothing."""
    model = _locked(model)
    users = list(model.fallback_uses.order_by("model__name").values_list("model__name", flat=True)[:5])
    if users:
        raise ValidationError(f"{model.name} is a fallback of {', '.join(users)}. Take it out of their fallbacks first.")
    if override_of(model.name) is not None:
        # Setting prices may be beyond this actor; that the price goes with its model is not theirs to decide.
        set_model_price(actor=None, model=model, price=None)
    changes = trail.diff(public_fields(model, FIELDS), {})
    trail.record(actor=actor, action="llmgateway.model.delete", target=model, changes=changes)
    model.delete()


@transaction.atomic
def _switch(actor: User | None, model: Model, *, enabled: bool) -> Model:
    model = _locked(model)
    if model.enabled == enabled:
        return model
    model.enabled = enabled
    model.save(update_fields=["enabled", "updated_at"])
    action = f"llmgateway.model.{'enable' if enabled else 'disable'}"
    trail.record(actor=actor, action=action, target=model, changes={"enabled": [not enabled, enabled]})
    return model


def _locked(model: Model) -> Model:
    return Model.objects.select_for_update().get(pk=model.pk)
