"""One object of every kind that belongs to a team, for tests about what is whose. A new kind with an admin or an API is added here.

All of them carry QUAGGA in what people read of them, so that a page that shows one to the wrong reader is found by that word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from identity import actions as identity
from identity.models import Team
from llmgateway import actions as llmgateway
from registry import actions as registry
from tests import factories
from tests.registry import things
from tests.usage.calls import a_call
from usage import actions as usage
from usage import ledger
from usage.models import LedgerEntry, Rollup
from usage.rollups import roll_up_stale

QUAGGA = "quagga"


def _key(team: Team) -> Any:
    return factories.make_key(factories.make_service_account(f"{QUAGGA}-robot", team=team), name=f"{QUAGGA}-key")[0]


def _grant(team: Team) -> Any:
    model = factories.make_model(f"{QUAGGA}-granted", owner_team=team)
    identity.grant(actor=None, to=team, obj=model)
    return team.group.groupobjectpermission_set.get()


def _provider(team: Team) -> Any:
    return llmgateway.create_provider(actor=None, name=f"{QUAGGA}-provider", dialect="openai", base_url=f"https://{QUAGGA}.example/v1")


def _entry(team: Team) -> Any:
    call = a_call(team=team.pk, team_name=team.name, model=f"{QUAGGA}-called")
    ledger.record([call])
    return LedgerEntry.objects.get(pk=call.id)


def _rollup(team: Team) -> Any:
    ledger.record([a_call(team=team.pk, team_name=team.name, model=f"{QUAGGA}-summed")])
    roll_up_stale()
    return Rollup.objects.get(model=f"{QUAGGA}-summed")


SPECIMENS: dict[str, Callable[[Team], Any]] = {
    "identity.Team": lambda team: factories.make_team(f"{QUAGGA}-team", parent=team),
    "identity.User": lambda team: factories.make_user(f"{QUAGGA}-person", team=team),
    "identity.ServiceAccount": lambda team: factories.make_service_account(f"{QUAGGA}-service", team=team),
    "identity.AgentIdentity": lambda team: identity.create_agent_identity(actor=None, name=f"{QUAGGA}-agent-identity", team=team),
    "identity.APIKey": _key,
    "llmgateway.Model": lambda team: factories.make_model(f"{QUAGGA}-model", owner_team=team),
    "llmgateway.Provider": _provider,
    "usage.Budget": lambda team: usage.set_budget(actor=None, subject=factories.make_team(f"{QUAGGA}-spenders", parent=team), limit="5"),
    "usage.LedgerEntry": _entry,
    "usage.Rollup": _rollup,
    "registry.Server": lambda team: things.live_server(team=team, slug=f"{QUAGGA}-server"),
    "registry.Tool": lambda team: things.live_server(team=team, slug=f"{QUAGGA}-tools").tools.first(),
    "registry.Agent": lambda team: things.live_agent(team=team, slug=f"{QUAGGA}-agent"),
    "registry.Skill": lambda team: things.live_skill(team=team, name=f"{QUAGGA}-skill"),
    "registry.Toolset": lambda team: things.toolset([f"{QUAGGA}-server/*"], team=team, slug=f"{QUAGGA}-toolset"),
    "registry.Collection": lambda team: registry.create_collection(actor=None, slug=f"{QUAGGA}-collection", owner_team=team),
    "registry.Review": lambda team: registry.submit(actor=None, version=things.draft_server(team=team, slug=f"{QUAGGA}-draft")),
}

# Objects of the API that are not what their view's queryset says.
API_SPECIMENS: dict[str, Callable[[Team], Any]] = {"grant": _grant}
