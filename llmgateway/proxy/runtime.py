"""The LLM section made ready for calls: models by name, deployments with address, headers and rates worked out once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dataplane.money import Rates
from dataplane.sealing import SealError
from dataplane.snapshot import DeploymentRecord, LlmSection, ModelRecord, ProviderRecord
from dataplane.upstream import Prepared, Refused

if TYPE_CHECKING:
    from dataplane.kit import Kit

log = logging.getLogger("customhouse.llm")

DEFAULT_MAX_OUTPUT = 4096
"""Output that a call is assumed to make when neither it nor its model names a maximum."""


class Deployment:
    """A provider's model as it is called: `base` lacks the endpoint's path, `headers` carry the house's credential."""

    __slots__ = ("_prepared", "base", "dialect", "headers", "model", "name", "priority", "provider", "rates", "upstream", "weight")

    def __init__(self, kit: Kit, provider: ProviderRecord, record: DeploymentRecord) -> None:
        self.provider = provider.name
        self.dialect = provider.dialect
        self.model = record.model
        self.name = record.model
        self.weight = record.weight
        self.priority = record.priority
        self.rates = Rates(record.price) if record.price is not None else None
        self.base = base_url(provider)
        self.headers = [("content-type", "application/json"), ("accept-encoding", "identity"), *provider.headers.items()]
        if provider.credential is not None:
            secret = kit.sealer.open(provider.credential, bound_to=f"llmgateway.provider:{provider.id}:credential")
            self.headers.append(("x-api-key", secret) if provider.dialect == "anthropic" else ("authorization", f"Bearer {secret}"))
        timeouts = (provider.connect_timeout, provider.read_timeout, provider.total_timeout)
        self._prepared: dict[str, Prepared] = {}
        self.upstream = kit.upstreams.get(self.base, allow_private=provider.allow_private_network, timeouts=timeouts)

    def prepared(self, path: str) -> Prepared:
        """Its address for one endpoint, with the headers of every call."""
        found = self._prepared.get(path)
        if found is None:
            found = self._prepared[path] = Prepared(self.base + path, self.headers)
        return found


def base_url(provider: ProviderRecord) -> str:
    """Anthropic's own SDK leaves /v1 to the client, OpenAI's has it in the base: both ways of writing it are taken."""
    base = provider.base_url.rstrip("/")
    if provider.dialect == "anthropic" and not base.endswith("/v1"):
        base += "/v1"
    return base


class Model:
    """A model with its deployments in tiers of equal priority, best first."""

    __slots__ = ("_rates", "_tiers", "deployments", "fallbacks", "record", "tiers")

    def __init__(self, record: ModelRecord, deployments: list[Deployment]) -> None:
        self.record = record
        self.deployments = deployments
        self.fallbacks: list[Model] = []
        self._rates: dict[str, list[Rates] | None] = {}
        self._tiers: dict[str, list[list[Deployment]]] = {}
        by_priority: dict[int, list[Deployment]] = {}
        for deployment in deployments:
            by_priority.setdefault(deployment.priority, []).append(deployment)
        self.tiers = [by_priority[priority] for priority in sorted(by_priority)]

    def tiers_in(self, dialect: str) -> list[list[Deployment]]:
        """The tiers of those deployments that speak this dialect."""
        found = self._tiers.get(dialect)
        if found is None:
            spoken = ([deployment for deployment in tier if deployment.dialect == dialect] for tier in self.tiers)
            found = self._tiers[dialect] = [tier for tier in spoken if tier]
        return found

    def rates(self, dialect: str) -> list[Rates] | None:
        """The different rates at which a call of it may be served in this dialect, fallbacks included; None when it is not
        served in it at all."""
        if dialect not in self._rates:
            reached = [deployment for model in (self, *self.fallbacks) for deployment in model.deployments]
            priced = {place.rates.ref: place.rates for place in reached if place.dialect == dialect and place.rates is not None}
            spoken = any(deployment.dialect == dialect for deployment in self.deployments)
            self._rates[dialect] = list(priced.values()) if spoken else None
        return self._rates[dialect]

    @property
    def max_output(self) -> int:
        return self.record.max_output or DEFAULT_MAX_OUTPUT


class Runtime:
    """All models of one snapshot. A deployment that can't be made ready is left out and said so: the others serve."""

    __slots__ = ("models",)

    def __init__(self, kit: Kit, section: LlmSection) -> None:
        providers = {record.id: record for record in section.providers}
        self.models: dict[str, Model] = {}
        for record in section.models:
            ready = []
            for deployment in record.deployments:
                provider = providers.get(deployment.provider)
                if provider is None:
                    continue
                try:
                    ready.append(Deployment(kit, provider, deployment))
                except (SealError, Refused) as error:
                    log.error("deployment left out: %s at %s: %s", deployment.model, provider.name, error)
            self.models[record.name] = Model(record, ready)
        for model in self.models.values():
            model.fallbacks = [self.models[name] for name in model.record.fallbacks if name in self.models]
