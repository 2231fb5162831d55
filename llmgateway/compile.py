"""The section `llm`: every enabled provider and model as the data plane needs them, prices stamped.

A model without a deployment that could be called stays in the section, without deployments: its callers are told so, and
its fallbacks are tried. Published in the order of names, so that the same state gives the same bytes.

The data plane tries deployments by priority and shares calls by weight within one. Strategies that order deployments by
what is known here (their weight, their price) are compiled into priorities, one deployment each.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from dataplane.money import Rates
from dataplane.snapshot import DeploymentRecord, LlmSection, ModelRecord, PriceRecord, ProviderRecord, encode
from llmgateway.choices import Strategy
from llmgateway.models import Deployment, Fallback, Model, Provider
from llmgateway.prices import PriceBook

if TYPE_CHECKING:
    from audit.models import AuditEvent

SECTION = "llm"
PREFIXES = (SECTION,)

_NOT_PUBLISHED = frozenset({"llmgateway.provider.health"})
_PRICE_EVENTS = "usage.price"


def sections_for(event: AuditEvent) -> set[str]:
    """The one section, for every change of this app but health states, and for changes of prices."""
    ours = event.action.startswith("llmgateway.") and event.action not in _NOT_PUBLISHED
    return {SECTION} if ours or event.action.startswith(_PRICE_EVENTS) else set()


def all_sections() -> Iterable[str]:
    return (SECTION,)


def compile_section(name: str) -> bytes | None:
    """A fixed number of queries, whatever the number of models."""
    if name != SECTION:
        return None
    return encode(section())


def section() -> LlmSection:
    providers = list(Provider.objects.filter(enabled=True).order_by("name"))
    models = list(Model.objects.filter(enabled=True).order_by("name"))
    # Rows as tuples: a house of thousands of deployments has to be compiled well within the second that a change may take.
    rows = Deployment.objects.filter(enabled=True, provider__enabled=True, model__enabled=True).order_by("priority", "id")
    deployments = [_Row(*row) for row in rows.values_list("id", "model_id", "provider_id", "upstream_model", "weight", "priority")]
    prices = _prices(deployments, providers, models)
    by_model: dict[int, list[DeploymentRecord]] = {}
    for row in deployments:
        by_model.setdefault(row.model, []).append(_deployment(row, prices[row.id]))
    fallbacks = _fallbacks()
    return LlmSection(
        providers=tuple(_provider(provider) for provider in providers),
        models=tuple(_model(model, by_model.get(model.pk, []), fallbacks.get(model.pk, ())) for model in models),
    )


class _Row(NamedTuple):
    id: int
    model: int
    provider: int
    upstream_model: str
    weight: int
    priority: int


def _prices(deployments: list[_Row], providers: list[Provider], models: list[Model]) -> dict[int, PriceRecord | None]:
    """By deployment."""
    vendors, names = {row.pk: row.vendor for row in providers}, {row.pk: row.name for row in models}
    keys = {row.id: (vendors[row.provider], row.upstream_model, names[row.model]) for row in deployments}
    book = PriceBook()
    book.prepare(keys.values())
    return {row: book.price(vendor=vendor, upstream_model=upstream, model_name=name) for row, (vendor, upstream, name) in keys.items()}


def _fallbacks() -> dict[int, tuple[str, ...]]:
    """Names of enabled targets, in order, by the model that falls back."""
    found: dict[int, tuple[str, ...]] = {}
    steps = Fallback.objects.filter(target__enabled=True).order_by("position", "id")
    for model, target in steps.values_list("model_id", "target__name"):
        found[model] = (*found.get(model, ()), target)
    return found


def _provider(provider: Provider) -> ProviderRecord:
    return ProviderRecord(
        id=provider.pk,
        name=provider.name,
        dialect=provider.dialect,
        base_url=provider.base_url,
        credential=None if provider.credential is None else bytes(provider.credential),
        allow_private_network=provider.allow_private_network,
        connect_timeout=float(provider.connect_timeout),
        read_timeout=float(provider.read_timeout),
        total_timeout=float(provider.total_timeout),
        headers=dict(sorted(provider.headers.items())),
        vendor=provider.vendor,
    )


def _model(model: Model, deployments: list[DeploymentRecord], fallbacks: tuple[str, ...]) -> ModelRecord:
    return ModelRecord(
        id=model.pk,
        name=model.name,
        deployments=tuple(_ordered(model.strategy, deployments)),
        strategy=model.strategy,
        fallbacks=fallbacks,
        max_output=model.max_output,
        created_at=float(int(model.created_at.timestamp())),
        cache_ttl=model.cache_ttl,
        first_token_timeout=_seconds(model.first_token_timeout),
        idle_timeout=_seconds(model.idle_timeout),
        native_only=model.native_only,
    )


def _seconds(timeout: Decimal | None) -> float | None:
    return None if timeout is None else float(timeout)


def _deployment(row: _Row, price: PriceRecord | None) -> DeploymentRecord:
    return DeploymentRecord(
        id=row.id, provider=row.provider, model=row.upstream_model, weight=row.weight, priority=row.priority, price=price
    )


def _ordered(strategy: str, deployments: list[DeploymentRecord]) -> list[DeploymentRecord]:
    if strategy == Strategy.WEIGHTED:
        return deployments
    if strategy == Strategy.COST:
        ordered = sorted(deployments, key=lambda record: (record.priority, _dearness(record.price), record.id))
    else:
        ordered = sorted(deployments, key=lambda record: (record.priority, -record.weight, record.id))
    return [msgspec.structs.replace(record, priority=at) for at, record in enumerate(ordered)]


def _dearness(price: PriceRecord | None) -> tuple[bool, int]:
    """Unpriced ones come last. Three parts of input to one of output is what mixed traffic shows."""
    return (True, 0) if price is None else (False, Rates(price).reserve(input_tokens=3000, output_tokens=1000))
