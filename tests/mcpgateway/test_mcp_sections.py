"""What the data plane is told of servers and toolsets, and which changes it is told of."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings

from audit.models import AuditEvent
from dataplane.sealing import Sealer
from dataplane.snapshot import ServerRecord, ToolsetRecord, decode_body
from identity.models import User
from mcpgateway import compile as compiler
from registry import actions
from registry.models import Server, Toolset
from tests.registry.things import ALERTS, FORECAST, draft_server, found_server, live_server, toolset

pytestmark = pytest.mark.django_db


def record(slug: str) -> Any:
    body = compiler.compile_section(f"mcp:{slug}")
    return None if body is None else decode_body(f"mcp:{slug}", body)


def everything() -> dict[str, bytes]:
    return {name: compiler.compile_section(name) or b"" for name in compiler.all_sections()}


@contextmanager
def told() -> Iterator[set[str]]:
    """Collects the sections that are said to be touched, and checks that every one that changed is among them."""
    touched: set[str] = set()
    before, last = everything(), AuditEvent.objects.order_by("-id").values_list("id", flat=True).first() or 0
    yield touched
    after = everything()
    for event in AuditEvent.objects.filter(id__gt=last):
        touched |= compiler.sections_for(event)
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} <= touched


def test_a_server_is_published_with_its_approved_tools_as_they_came() -> None:
    server = live_server(slug="weather", allow_private_network=True)

    published = record("weather")

    assert isinstance(published, ServerRecord)
    assert (published.id, published.name, published.url) == (server.pk, "io.github.acme/weather", "https://weather.example/mcp")
    assert (published.era, published.version, published.allow_private_network) == ("auto", "1.0.0", True)
    assert [json.loads(tool.definition) for tool in published.tools] == [FORECAST, ALERTS]
    assert [tool.price for tool in published.tools] == [None, None]


def test_a_draft_is_not_published() -> None:
    draft_server(slug="weather")

    assert record("weather") is None
    assert list(compiler.all_sections()) == []


def test_a_withheld_tool_is_left_out_and_a_price_goes_along() -> None:
    server = live_server(slug="weather")
    actions.withhold_tool(actor=None, tool=server.tools.get(name="list_alerts"))
    actions.set_tool_price(actor=None, tool=server.tools.get(name="get_forecast"), price=Decimal("0.012500"))

    assert [(tool.name, tool.price) for tool in record("weather").tools] == [("get_forecast", "0.0125")]


def test_a_credential_goes_along_sealed_for_its_server() -> None:
    server = live_server(slug="weather")
    actions.set_credential(actor=None, item=server, secret="theirs", header="X-Key")

    published = record("weather")

    sealer = Sealer(*settings.CUSTOMHOUSE.seal_keys)
    assert published.credential_header == "x-key"
    assert sealer.open(published.credential, bound_to=f"registry.server:{server.pk}:credential") == "theirs"


def test_a_waiting_version_changes_nothing_that_is_published() -> None:
    server = live_server(slug="weather")
    before = everything()
    with told() as touched:
        found = found_server({**FORECAST, "description": "New."}, version="2.0.0")
        version = actions.new_server_version(actor=None, server=server, found=found)
        actions.submit(actor=None, version=version)

    assert everything() == before
    assert touched == set()


def test_a_toolset_is_published_with_public_names() -> None:
    live_server(slug="weather")
    live_server(slug="tracker")
    toolset(["weather/get_forecast", "tracker/*"], slug="desk", name="Desk")

    published = record("desk")

    assert isinstance(published, ToolsetRecord)
    assert [(member.name, member.server, member.tool) for member in published.members] == [
        ("tracker_get_forecast", "tracker", "get_forecast"),
        ("tracker_list_alerts", "tracker", "list_alerts"),
        ("weather_get_forecast", "weather", "get_forecast"),
    ]


CHANGES: dict[str, tuple[Callable[[Server, Toolset], Any], set[str]]] = {
    "frozen": (lambda server, desk: actions.freeze(actor=None, item=server, reason="leak"), {"mcp:weather", "mcp:desk"}),
    "retired": (lambda server, desk: actions.retire(actor=None, item=server, reason="old"), {"mcp:weather", "mcp:desk"}),
    "deleted": (lambda server, desk: actions.delete_item(actor=None, item=server), {"mcp:weather", "mcp:desk"}),
    "updated": (lambda server, desk: actions.update_server(actor=None, server=server, era="legacy"), {"mcp:weather", "mcp:desk"}),
    "a tool priced": (
        lambda server, desk: actions.set_tool_price(actor=None, tool=server.tools.get(name="get_forecast"), price=Decimal(1)),
        {"mcp:weather", "mcp:desk"},
    ),
    "a tool withheld": (
        lambda server, desk: actions.withhold_tool(actor=None, tool=server.tools.get(name="get_forecast")),
        {"mcp:weather", "mcp:desk"},
    ),
    "a credential set": (lambda server, desk: actions.set_credential(actor=None, item=server, secret="x"), {"mcp:weather", "mcp:desk"}),
    "a toolset changed": (
        lambda server, desk: actions.update_toolset(actor=None, toolset=desk, members=["weather/get_forecast"]),
        {"mcp:desk"},
    ),
    "a toolset frozen": (lambda server, desk: actions.freeze(actor=None, item=desk, reason="leak"), {"mcp:desk"}),
    "a toolset deleted": (lambda server, desk: actions.delete_item(actor=None, item=desk), {"mcp:desk"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_touches_its_sections_and_no_others(what: str) -> None:
    change, expected = CHANGES[what]
    server = live_server(slug="weather")
    live_server(slug="tracker")
    desk = toolset(["weather/*"], slug="desk")
    toolset(["tracker/*"], slug="other")

    with told() as touched:
        change(server, desk)

    assert touched == expected


def test_a_version_that_goes_live_touches_its_server(admin: User) -> None:
    version = draft_server(slug="weather")
    with told() as touched:
        actions.publish(actor=None, version=version)

    assert touched == {"mcp:weather"}
