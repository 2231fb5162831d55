"""The LLM section made ready for calls: models by name, deployments with address, headers and rates worked out once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dataplane.call import Leg
from dataplane.money import Rates
from dataplane.sealing import SealError
from dataplane.snapshot import DeploymentRecord, LlmSection, ModelRecord, ProviderRecord
from dataplane.upstream import Prepared, Refused
from llmgateway.proxy.credentials import UnusableCredential, credential_of
from llmgateway.proxy.providers import facts_of

if TYPE_CHECKING:
    from dataplane.kit import Kit

log = logging.getLogger("customhouse.llm")

DEFAULT_MAX_OUTPUT = 4096
"""Output that a call is assumed to make when neither it nor its model names a maximum."""


class Deployment:
    """A provider's model as it is called. `base` lacks the endpoint's path; what proves the house's account is added by `leg`."""

    __slots__ = (
        "_credential",
        "_headers",
        "_prepared",
        "base",
        "dialect",
        "facts",
        "id",
        "model",
        "name",
        "priority",
        "provider",
        "provider_id",
        "rates",
        "upstream",
        "weight",
    )

    def __init__(self, kit: Kit, provider: ProviderRecord, record: DeploymentRecord) -> None:
        self.id = record.id
        self.provider = provider.name
        self.provider_id = provider.id
        self.dialect = provider.dialect
        self.facts = facts_of(dialect=provider.dialect, base_url=provider.base_url, vendor=provider.vendor)
        self.model = record.model
        self.name = record.model
        self.weight = record.weight
        self.priority = record.priority
        self.rates = Rates(record.price) if record.price is not None else None
        self.base = base_url(provider)
        timeouts = (provider.connect_timeout, provider.read_timeout, provider.total_timeout)
        self._credential = credential_of(kit, provider, self.facts)
        self._headers = [("accept-encoding", "identity"), *provider.headers.items(), *self._credential.fixed]
        self._prepared: dict[tuple[str, str], Prepared] = {}
        self.upstream = kit.upstreams.get(self.base, allow_private=provider.allow_private_network, timeouts=timeouts)

    def leg(
        self,
        path: str,
        *,
        headers: list[tuple[str, str]],
        body: bytes,
        method: str = "POST",
        query: str = "",
        content_type: str = "application/json",
    ) -> Leg:
        """A request to this deployment's provider at `path` (which starts with a slash), with the house's credential.
        `content_type` "" sends none. `headers` must not hold credentials."""
        target: str | Prepared
        credential = self._credential
        if query or credential.signs:
            target = f"{self.base}{path}" + (f"?{query}" if query else "")
            fixed = [*self._headers, ("content-type", content_type)] if content_type else self._headers
            headers = [*headers, *fixed]
            if credential.signs:
                headers = [*headers, *credential.sign(method, target, body)]
        else:
            target = self._prepare(path, content_type)
        leg = Leg(self.upstream, target, headers=headers, body=body, rates=self.rates, provider=self.provider, deployment=self.name)
        leg.method = method
        leg.authorize = credential.fetch
        return leg

    async def account_headers(self) -> list[tuple[str, str]]:
        """The headers of a connection that stays open: the provider's own and what proves the house's account, fetched where
        it has to be. Raises UpstreamFailed. A signature is of one request's body, so there is none here."""
        fetch = self._credential.fetch
        return self._headers if fetch is None else [*self._headers, *await fetch()]

    def _prepare(self, path: str, content_type: str) -> Prepared:
        """Its address for one endpoint, with the headers of every call. Paths that hold an id are not kept."""
        found = self._prepared.get((path, content_type))
        if found is None:
            fixed = [*self._headers, ("content-type", content_type)] if content_type else self._headers
            found = Prepared(self.base + path, fixed)
            if len(self._prepared) < MOST_PREPARED:
                self._prepared[path, content_type] = found
        return found


MOST_PREPARED = 32


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
                except (SealError, Refused, UnusableCredential) as error:
                    log.error("deployment left out: %s at %s: %s", deployment.model, provider.name, error)
            self.models[record.name] = Model(record, ready)
        for model in self.models.values():
            model.fallbacks = [self.models[name] for name in model.record.fallbacks if name in self.models]
