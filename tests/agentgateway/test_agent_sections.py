"""What the data plane is told of agents, and which changes it is told of."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings

from agentgateway import compile as compiler
from audit.models import AuditEvent
from dataplane.sealing import Sealer
from dataplane.snapshot import AgentRecord, decode_body
from registry import actions
from registry.models import Agent
from tests.registry.things import CARD, draft_agent, live_agent, live_server

pytestmark = pytest.mark.django_db


def record(slug: str) -> Any:
    body = compiler.compile_section(f"a2a:{slug}")
    return None if body is None else decode_body(f"a2a:{slug}", body)


def touched_since(event_id: int) -> set[str]:
    return {name for event in AuditEvent.objects.filter(id__gt=event_id) for name in compiler.sections_for(event)}


def last_event() -> int:
    return AuditEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0


def test_an_agent_is_published_with_its_approved_card_and_interface() -> None:
    agent = live_agent(slug="planner", price=Decimal("0.250000"))

    published = record("planner")

    assert isinstance(published, AgentRecord)
    assert (published.id, published.slug, published.name) == (agent.pk, "planner", "Planner")
    assert (published.url, published.price) == ("https://planner.example/rpc", "0.25")
    assert json.loads(published.card) == CARD
    assert agent.live_version is not None
    assert agent.live_version.reviewed_at is not None
    assert published.approved_at == agent.live_version.reviewed_at.timestamp()


def test_a_draft_is_not_published() -> None:
    before = last_event()
    draft_agent(slug="planner")

    assert record("planner") is None
    assert list(compiler.all_sections()) == []
    assert touched_since(before) == set()


def test_a_credential_goes_along_sealed_for_its_agent() -> None:
    agent = live_agent(slug="planner")
    actions.set_credential(actor=None, item=agent, secret="theirs")

    published = record("planner")

    sealer = Sealer(*settings.CUSTOMHOUSE.seal_keys)
    assert sealer.open(published.credential, bound_to=f"registry.agent:{agent.pk}:credential") == "Bearer theirs"


CHANGES: dict[str, Callable[[Agent], Any]] = {
    "frozen": lambda agent: actions.freeze(actor=None, item=agent, reason="leak"),
    "retired": lambda agent: actions.retire(actor=None, item=agent, reason="old"),
    "deleted": lambda agent: actions.delete_item(actor=None, item=agent),
    "priced": lambda agent: actions.update_agent(actor=None, agent=agent, price=Decimal(2)),
    "a credential set": lambda agent: actions.set_credential(actor=None, item=agent, secret="x"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_touches_its_section_and_no_other(what: str) -> None:
    agent = live_agent(slug="planner")
    live_agent(slug="other")
    before, published = last_event(), compiler.compile_section("a2a:planner")

    CHANGES[what](agent)

    assert touched_since(before) == {"a2a:planner"}
    assert compiler.compile_section("a2a:planner") != published


def test_a_version_that_goes_live_touches_its_agent() -> None:
    version = draft_agent(slug="planner")
    before = last_event()
    actions.publish(actor=None, version=version)

    assert touched_since(before) == {"a2a:planner"}


def test_a_change_of_a_server_touches_no_agent() -> None:
    before = last_event()
    live_server(slug="planner")

    assert touched_since(before) == set()
