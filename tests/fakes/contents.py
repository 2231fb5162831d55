"""What a house holds, laid out by hand for a test and compiled into sections as the control plane would."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from dataplane.principal import digest
from dataplane.sealing import Sealer
from dataplane.snapshot import (
    AgentRecord,
    BudgetRecord,
    BudgetSection,
    DeploymentRecord,
    GrantSection,
    KeyRecord,
    KeySection,
    LimitRecord,
    LlmSection,
    McpSection,
    ModelRecord,
    PriceRecord,
    PrincipalRecord,
    ProviderRecord,
    Record,
    Section,
    TeamRecord,
    TeamSection,
    encode,
    grant_shard,
    key_shard,
)

PEPPER = b"a pepper of the tests, 32 bytes."
SEAL_KEY = b"a sealing key of tests, 32 byte."

PRICE = PriceRecord(ref="price:tests:1", input="3", output="15", cached_read="0.3", cache_write_5m="3.75", cache_write_1h="6")


class Contents:
    """Rows by kind; `sections()` compiles them all under a new version, and the emptied ones as gone."""

    def __init__(self) -> None:
        self.teams: dict[int, TeamRecord] = {}
        self.keys: dict[str, KeyRecord] = {}
        self.grants: dict[str, list[str]] = defaultdict(list)
        self.budgets: list[BudgetRecord] = []
        self.providers: dict[str, ProviderRecord] = {}
        self.models: dict[str, ModelRecord] = {}
        self.servers: dict[str, McpSection] = {}
        self.agents: dict[str, AgentRecord] = {}
        self.sealer = Sealer(SEAL_KEY)
        self._ids = itertools.count(1)
        self._version = 0
        self._published: set[str] = set()

    def team(self, name: str, *, parent: int | None = None, limits: LimitRecord | None = None) -> int:
        number = next(self._ids)
        path = (number,) if parent is None else (number, *self.teams[parent].path)
        self.teams[number] = TeamRecord(id=number, name=name, path=path, limits=limits)
        return number

    def key(
        self,
        name: str,
        *,
        team: int | None = None,
        owner: int | None = None,
        limits: LimitRecord | None = None,
        expires_at: float | None = None,
    ) -> str:
        """The key's text. Its owner is `user:<owner>`, a service account of its own when None."""
        number = next(self._ids)
        prefix = f"{number:08d}"
        text = f"ch_{prefix}_secret-of-{name}"
        who = PrincipalRecord(ref=f"user:{owner or number}", name=f"{name}-owner", kind="service_account", team=team)
        self.keys[text] = KeyRecord(
            id=number,
            name=name,
            prefix=prefix,
            digest=digest(PEPPER, text),
            principal=who,
            expires_at=expires_at,
            limits=limits,
        )
        return text

    def revoke(self, key: str) -> None:
        del self.keys[key]

    def grant(self, subject: str, *resources: str) -> None:
        self.grants[subject].extend(resources)

    def budget(self, subject: str, limit: int, *, period: str = "month", mode: str = "hard") -> int:
        number = next(self._ids)
        self.budgets.append(BudgetRecord(id=number, subject=subject, limit=limit, period=period, mode=mode))
        return number

    def provider(self, name: str, base_url: str, *, dialect: str = "openai", secret: str | None = None, **more: Any) -> str:
        """`secret` is the provider's own API key; loopback is allowed, since all fakes live there."""
        number = next(self._ids)
        sealed = self.sealer.seal(secret or f"sk-{name}", bound_to=f"llmgateway.provider:{number}:credential")
        more.setdefault("allow_private_network", True)
        record = ProviderRecord(id=number, name=name, dialect=dialect, base_url=base_url, credential=sealed, **more)
        self.providers[name] = record
        return name

    def deployment(
        self, provider: str, model: str, *, weight: int = 1, priority: int = 0, price: PriceRecord | None = PRICE
    ) -> DeploymentRecord:
        number = next(self._ids)
        place = self.providers[provider].id
        return DeploymentRecord(id=number, provider=place, model=model, weight=weight, priority=priority, price=price)

    def model(self, name: str, *deployments: DeploymentRecord, **more: Any) -> str:
        """The resource that a grant names."""
        self.models[name] = ModelRecord(id=next(self._ids), name=name, deployments=deployments, created_at=1_750_000_000.0, **more)
        return f"model:{name}"

    def sections(self) -> list[Section]:
        self._version += 1
        bodies = {name: encode(record) for name, record in self._records()}
        gone = self._published - bodies.keys()
        self._published = set(bodies)
        return [Section(name=name, version=self._version, body=bodies.get(name, b"")) for name in (*bodies, *sorted(gone))]

    def _records(self) -> Iterable[tuple[str, Record]]:
        shards: dict[str, list[KeyRecord]] = defaultdict(list)
        for record in self.keys.values():
            shards[key_shard(record.digest)].append(record)
        grants: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for subject, resources in self.grants.items():
            grants[grant_shard(subject)][subject] = tuple(resources)
        yield "teams", TeamSection(teams=tuple(self.teams.values()))
        yield "budgets", BudgetSection(budgets=tuple(self.budgets))
        yield "llm", LlmSection(providers=tuple(self.providers.values()), models=tuple(self.models.values()))
        yield from ((name, KeySection(keys=tuple(records))) for name, records in shards.items())
        yield from ((name, GrantSection(grants=granted)) for name, granted in grants.items())
        yield from ((f"mcp:{slug}", server) for slug, server in self.servers.items())
        yield from ((f"a2a:{slug}", agent) for slug, agent in self.agents.items())
