"""Providers and models."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from config.applying import shape
from config.applying.kind import Kind, Reference, Run, named_team, plain
from llmgateway import actions, credentials, prices
from llmgateway.models import Model, Provider
from llmgateway.vendors import guess_vendor

TIMEOUTS = ("connect_timeout", "read_timeout", "total_timeout")
FILE_METERS = {"cached_read": "cached_input"}
"""The file's own word for a meter; the others are the same in both."""


class Providers(Kind[shape.Provider]):
    section, word = "providers", "provider"
    secret_fields = ("api_key",)

    def stored(self) -> dict[str, shape.Provider]:
        return {row.name: _provider(row) for row in Provider.objects.order_by("name")}

    def settled(self, entry: shape.Provider, before: shape.Provider | None, run: Run) -> shape.Provider:
        timeouts = {name: plain(getattr(entry, name)) for name in TIMEOUTS}
        url = entry.base_url.rstrip("/")
        return msgspec.structs.replace(entry, base_url=url, vendor=entry.vendor or guess_vendor(url), **timeouts)

    def secret_matches(self, entry: shape.Provider, field_name: str, secret: str) -> bool:
        return credentials.credential_matches(Provider.objects.get(name=entry.name), secret)

    def create(self, entry: shape.Provider, run: Run) -> None:
        actions.create_provider(actor=run.actor, api_key=self._secret(entry, run), **_provider_fields(entry))

    def update(self, entry: shape.Provider, before: shape.Provider, changed: frozenset[str], run: Run) -> None:
        fields = _provider_fields(entry)
        secret = self._secret(entry, run) if "api_key" in changed or "base_url" in changed else None
        actions.update_provider(actor=run.actor, provider=Provider.objects.get(name=entry.name), api_key=secret, **fields)

    def remove(self, name: str, before: shape.Provider, run: Run) -> None:
        actions.delete_provider(actor=run.actor, provider=Provider.objects.get(name=name))

    def _secret(self, entry: shape.Provider, run: Run) -> str | None:
        return run.secrets.get((self.section, entry.name, "api_key"))


def _provider(row: Provider) -> shape.Provider:
    return shape.Provider(
        name=row.name,
        dialect=row.dialect,
        base_url=row.base_url,
        allow_private_network=row.allow_private_network,
        vendor=row.vendor,
        headers=dict(row.headers),
        enabled=row.enabled,
        **{name: plain(getattr(row, name)) for name in TIMEOUTS},
    )


def _provider_fields(entry: shape.Provider) -> dict[str, Any]:
    fields = {name: getattr(entry, name) for name in actions.providers.FIELDS}
    return {**fields, **{name: Decimal(fields[name]) for name in TIMEOUTS}}


class Models(Kind[shape.Model]):
    section, word = "models", "model"

    def references(self, entry: shape.Model) -> Iterator[Reference]:
        for number, deployment in enumerate(entry.deployments):
            yield Reference(("deployments", number, "provider"), ("providers",), deployment.provider)
        for number, name in enumerate(entry.fallbacks):
            yield Reference(("fallbacks", number), ("models",), name)
        if entry.team is not None:
            yield Reference(("team",), ("teams",), entry.team)

    def stored(self) -> dict[str, shape.Model]:
        rows = (
            Model.objects.select_related("owner_team").prefetch_related("deployments__provider", "fallback_steps__target").order_by("name")
        )
        return {row.name: _model(row) for row in rows}

    def settled(self, entry: shape.Model, before: shape.Model | None, run: Run) -> shape.Model:
        return msgspec.structs.replace(
            entry, deployments=_in_order(entry.deployments), price=_plain_price(entry.price), timeouts=_plain_timeouts(entry.timeouts)
        )

    def create(self, entry: shape.Model, run: Run) -> None:
        model = actions.create_model(
            actor=run.actor, name=entry.name, deployments=_deployments(entry), price=_price_fields(entry), **_model_fields(entry)
        )
        self._later(model, entry, run)

    def update(self, entry: shape.Model, before: shape.Model, changed: frozenset[str], run: Run) -> None:
        model = Model.objects.get(name=entry.name)
        actions.update_model(actor=run.actor, model=model, **_model_fields(entry))
        if "deployments" in changed:
            actions.set_deployments(actor=run.actor, model=model, deployments=_deployments(entry))
        if "price" in changed:
            actions.set_model_price(actor=run.actor, model=model, price=_price_fields(entry))
        if "fallbacks" in changed:
            self._later(model, entry, run)

    def _later(self, model: Model, entry: shape.Model, run: Run) -> None:
        """A fallback may be a model further down in the file."""
        if entry.fallbacks or model.fallback_steps.exists():
            run.after.append((entry.name, lambda: actions.set_fallbacks(actor=run.actor, model=model, fallbacks=entry.fallbacks)))

    def release(self, names: list[str], run: Run) -> None:
        for model in Model.objects.filter(name__in=names):
            actions.set_fallbacks(actor=run.actor, model=model, fallbacks=[])

    def remove(self, name: str, before: shape.Model, run: Run) -> None:
        model = Model.objects.get(name=name)
        if before.price is not None:
            actions.set_model_price(actor=run.actor, model=model, price=None)
        actions.delete_model(actor=run.actor, model=model)


def _model(row: Model) -> shape.Model:
    price = prices.override_of(row.name)
    deployments = [
        shape.Deployment(
            provider=one.provider.name, model=one.upstream_model, weight=one.weight, priority=one.priority, enabled=one.enabled
        )
        for one in row.deployments.all()
    ]
    return shape.Model(
        name=row.name,
        deployments=_in_order(deployments),
        strategy=row.strategy,
        price=None if price is None else shape.Price(**{FILE_METERS.get(meter, meter): plain(amount) for meter, amount in price.items()}),
        fallbacks=[step.target.name for step in row.fallback_steps.all()],
        max_output=row.max_output,
        cache=None if row.cache_ttl is None else shape.Cache(ttl=row.cache_ttl),
        timeouts=_stored_timeouts(row),
        native_only=row.native_only,
        description=row.description,
        team=row.owner_team.name if row.owner_team else None,
        discoverable=row.discoverable,
        enabled=row.enabled,
    )


def _in_order(deployments: list[shape.Deployment]) -> list[shape.Deployment]:
    """Deployments are a set; their order in the file says nothing."""
    return sorted(deployments, key=lambda one: (one.priority, one.provider, one.model))


def _deployments(entry: shape.Model) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(one) for one in entry.deployments]


def _stored_timeouts(row: Model) -> shape.Timeouts | None:
    first, idle = row.first_token_timeout, row.idle_timeout
    return _plain_timeouts(shape.Timeouts(first_token=None if first is None else str(first), idle=None if idle is None else str(idle)))


def _plain_timeouts(timeouts: shape.Timeouts | None) -> shape.Timeouts | None:
    """Timeouts that state nothing are none."""
    stated = (
        {} if timeouts is None else {name: plain(value) for name, value in msgspec.structs.asdict(timeouts).items() if value is not None}
    )
    return shape.Timeouts(**stated) if stated else None


def _model_fields(entry: shape.Model) -> dict[str, Any]:
    timeouts = entry.timeouts or shape.Timeouts()
    return {
        "cache_ttl": entry.cache.ttl if entry.cache else None,
        "first_token_timeout": None if timeouts.first_token is None else Decimal(timeouts.first_token),
        "idle_timeout": None if timeouts.idle is None else Decimal(timeouts.idle),
        "native_only": entry.native_only,
        "strategy": entry.strategy,
        "max_output": entry.max_output,
        "description": entry.description,
        "owner_team": named_team(entry.team),
        "discoverable": entry.discoverable,
        "enabled": entry.enabled,
    }


def _plain_price(price: shape.Price | None) -> shape.Price | None:
    if price is None:
        return None
    amounts = {name: plain(amount) for name, amount in msgspec.structs.asdict(price).items() if amount is not None}
    return shape.Price(**amounts)


def _price_fields(entry: shape.Model) -> dict[str, str] | None:
    if entry.price is None:
        return None
    return {name: amount for name, amount in msgspec.structs.asdict(entry.price).items() if amount is not None}
