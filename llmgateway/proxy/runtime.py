"""The LLM section made ready for calls: models by name, deployments with address, headers and rates worked out once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dataplane.call import Leg
from dataplane.money import Rates
from dataplane.sealing import SealError
from dataplane.snapshot import DeploymentRecord, LlmSection, ModelRecord, ProviderRecord
from dataplane.upstream import Prepared, Refused
from llmgateway.proxy.cache.fingerprint import fingerprint
from llmgateway.proxy.credentials import UnusableCredential, credential_of
from llmgateway.proxy.paths import base_url, gemini_prefix
from llmgateway.proxy.providers import OPERATIONS, facts_of, predicts

if TYPE_CHECKING:
    from dataplane.kit import Kit

log = logging.getLogger("customhouse.llm")

DEFAULT_MAX_OUTPUT = 4096
"""Output that a call is assumed to make when neither it nor its model names a maximum."""


class Deployment:
    """A provider's model as it is called. `base` lacks the endpoint's path; `wires` are the wire dialects in which it is
    called without translation; what proves the house's account is added by `leg`."""

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
        "operations",
        "prefix",
        "priority",
        "provider",
        "provider_id",
        "rates",
        "upstream",
        "weight",
        "wires",
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
        self.base = base_url(provider.base_url, provider.dialect)
        self.prefix = gemini_prefix(self.base) if provider.dialect == "gemini" else ""
        self.operations = {name: wire for name, wire in OPERATIONS[provider.dialect].items() if name != "count" or self.facts.counts}
        self.wires = frozenset((*self.facts.wires, *self.operations.values()))
        if predicts(self.facts, record.model):
            self.wires -= {"gemini-embed"}
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
        leg.drains = self.facts.bills_on
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


class Model:
    """A model with its deployments in tiers of equal priority, best first. `fingerprint` is of one whose answers are cached."""

    __slots__ = ("_rates", "_tiers", "deployments", "fallbacks", "fingerprint", "record", "tiers")

    def __init__(self, record: ModelRecord, deployments: list[Deployment]) -> None:
        self.record = record
        self.deployments = deployments
        self.fallbacks: list[Model] = []
        self.fingerprint = b""
        self._rates: dict[tuple[str, str], list[Rates] | None] = {}
        self._tiers: dict[tuple[str, str], list[list[Deployment]]] = {}
        by_priority: dict[int, list[Deployment]] = {}
        for deployment in deployments:
            by_priority.setdefault(deployment.priority, []).append(deployment)
        self.tiers = [by_priority[priority] for priority in sorted(by_priority)]

    def takes(self, deployment: Deployment, wire: str, operation: str) -> bool:
        """Whether one of its deployments can take a call of this wire dialect, translated where that may be done."""
        if wire in deployment.wires:
            return True
        if self.record.native_only or not operation:
            return False
        return operation == "generate" or operation in deployment.operations

    def tiers_for(self, wire: str, operation: str) -> list[list[Deployment]]:
        """The tiers of those deployments that can take such a call."""
        found = self._tiers.get((wire, operation))
        if found is None:
            able = ([place for place in tier if self.takes(place, wire, operation)] for tier in self.tiers)
            found = self._tiers[wire, operation] = [tier for tier in able if tier]
        return found

    def rates(self, wire: str, operation: str) -> list[Rates] | None:
        """The different rates at which such a call may be served, fallbacks included; None when it is not served at all."""
        key = (wire, operation)
        if key not in self._rates:
            tiers = [(model, tier) for model in (self, *self.fallbacks) for tier in model.tiers_for(wire, operation)]
            priced = {place.rates.ref: place.rates for _, tier in tiers for place in tier if place.rates is not None}
            self._rates[key] = list(priced.values()) if any(model is self for model, _ in tiers) else None
        return self._rates[key]

    @property
    def max_output(self) -> int:
        return self.record.max_output or DEFAULT_MAX_OUTPUT

    @property
    def most_output(self) -> int:
        """What a call may make that names no maximum, wherever it is served."""
        return max([self.max_output, *(model.max_output for model in self.fallbacks)])

    @property
    def all_deployments(self) -> Iterator[Deployment]:
        return (place for model in (self, *self.fallbacks) for place in model.deployments)


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
            if model.record.cache_ttl:
                model.fingerprint = fingerprint((model.record, *(fallback.record for fallback in model.fallbacks)), providers)
