"""Where a caller's things can be stored: the provider accounts that its grants reach, and which of them a call is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dataplane.asgi import Request
from dataplane.errors import BadRequest, NotFound
from dataplane.snapshot import KeyRecord, LlmSection
from dataplane.store import Snapshot
from llmgateway.proxy.runtime import Deployment, Runtime
from llmgateway.proxy.stored.owners import no_such

if TYPE_CHECKING:
    from dataplane.kit import Kit

MODEL_HEADER = b"x-customhouse-model"

RESPONSES, CONVERSATIONS, FILES, BATCHES, VECTOR_STORES, MESSAGE_BATCHES = (
    "responses",
    "conversations",
    "files",
    "batches",
    "vector_stores",
    "message_batches",
)

_ALL = frozenset({RESPONSES, CONVERSATIONS, FILES, BATCHES, VECTOR_STORES})
KEPT: dict[str, frozenset[str]] = {
    "": _ALL,
    "openai": _ALL,
    "azure": _ALL,
    "groq": frozenset({FILES, BATCHES}),
    "mistral": frozenset({FILES}),
    "x-ai": frozenset({RESPONSES, FILES}),
    "fireworks": frozenset({RESPONSES}),
    "vllm": frozenset({RESPONSES}),
}
"""What vendors of the OpenAI dialect store under OpenAI's own addresses, by their slug in the table of providers; one that is
not here stores nothing there. "" is any compatible address: it says itself what it lacks."""


class Account(NamedTuple):
    """A provider's account as the caller reaches it: through `place`, thanks to one of the `grants` (names of resources)."""

    place: Deployment
    grants: frozenset[str]

    @property
    def provider(self) -> int:
        return self.place.provider_id


def runtime_of(kit: Kit, snapshot: Snapshot) -> Runtime:
    """The same that calls of models use: a section has one view."""

    def build(section: object) -> Runtime:
        assert isinstance(section, LlmSection)
        return Runtime(kit, section)

    return snapshot.view(snapshot.llm, build)


def keeps(place: Deployment, what: str) -> bool:
    if place.dialect == "anthropic":
        return what == MESSAGE_BATCHES
    return place.dialect == "openai" and what in KEPT.get(place.facts.slug, frozenset())


def reached(runtime: Runtime, allowed: frozenset[str], *, what: str = "") -> dict[int, Account]:
    """The accounts that the granted models lead to, by provider record; with `what`, those that store such things."""
    places: dict[int, Deployment] = {}
    grants: dict[int, set[str]] = {}
    for name, model in runtime.models.items():
        resource = f"model:{name}"
        if resource not in allowed:
            continue
        for place in model.deployments:
            if not what or keeps(place, what):
                places.setdefault(place.provider_id, place)
                grants.setdefault(place.provider_id, set()).add(resource)
    return {provider: Account(place, frozenset(grants[provider])) for provider, place in places.items()}


def place_at(runtime: Runtime, provider: int) -> Deployment | None:
    """Any way to a provider's account, whoever may use it: for what the house does by itself."""
    every = (place for model in runtime.models.values() for place in model.deployments)
    return next((place for place in every if place.provider_id == provider), None)


def account_at(runtime: Runtime, allowed: frozenset[str], provider: int, ident: str) -> Account:
    """The account that stores `id`. Raises NotFound where no grant leads to it any more."""
    account = reached(runtime, allowed).get(provider)
    if account is None:
        raise no_such(ident)
    return account


def account_for(runtime: Runtime, request: Request, key: KeyRecord, snapshot: Snapshot, *, what: str) -> Account:
    """Where something new is to be stored: with the model that the caller names in a header, else the only account there is.
    Raises NotFound for a model that is not granted, BadRequest where it has to be named or leads nowhere."""
    allowed = snapshot.allowed(key)
    accounts = reached(runtime, allowed, what=what)
    named = request.header(MODEL_HEADER)
    if named is not None:
        model = runtime.models.get(named)
        if model is None or f"model:{named}" not in allowed:
            raise NotFound(f"The model {named[:200]!r} does not exist or you have no access to it.", param="model", code="model_not_found")
        for tier in model.tiers:
            for place in tier:
                if keeps(place, what):
                    return accounts[place.provider_id]
        raise BadRequest(f"No provider of the model {named!r} stores {_spoken(what)}.", param="model", code="not_stored_there")
    if len(accounts) == 1:
        return next(iter(accounts.values()))
    if not accounts:
        raise BadRequest(f"None of your models is at a provider that stores {_spoken(what)}.", code="not_stored_there")
    header = MODEL_HEADER.decode()
    text = f"Your models are at several providers that store {_spoken(what)}: name a model in the header {header} to say at which."
    raise BadRequest(text, param=header, code="provider_ambiguous")


def _spoken(what: str) -> str:
    return what.replace("_", " ")
