"""From a server that is registered by its address to a call through the gateway, with nothing made up in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mcp_types as types
import pytest

from dataplane.snapshot import decode_body
from mcpgateway import compile as compiler
from registry import actions
from registry.models import Server
from tests.fakes.mcp_servers import Tools, dual_era, house_of_tools, legacy_only, modern_only
from tests.fakes.serving import App, serving
from tests.mcpgateway.conftest import LEGACY, MODERN, McpHouse

NAMES = ["get_forecast", "echo", "fail", "count", "hold", "ask"]


@pytest.fixture
def upstream(request: pytest.FixtureRequest, tools: Tools) -> Iterator[str]:
    app: App = request.param(house_of_tools(tools))
    with serving(app, lifespan=True) as url:
        yield f"{url}/mcp"


def register(house: McpHouse, url: str, slug: str = "weather") -> Server:
    """As an admin does it: discovery, review, publication."""
    version = actions.register_server(actor=None, name=f"io.example/{slug}", slug=slug, url=url, allow_private_network=True)
    actions.publish(actor=None, version=version)
    publish(house)
    return Server.objects.get(slug=slug)


def publish(house: McpHouse) -> None:
    house.contents.servers.clear()
    for name in compiler.all_sections():
        section: Any = decode_body(name, compiler.compile_section(name) or b"")
        house.contents.servers[section.slug] = section
    house.publish()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("upstream", "mode", "version"),
    [
        pytest.param(dual_era, "legacy", LEGACY, id="sessions client, dual-era server"),
        pytest.param(dual_era, MODERN, MODERN, id="stateless client, dual-era server"),
        pytest.param(legacy_only, "auto", LEGACY, id="auto client, sessions server"),
        pytest.param(modern_only, "auto", MODERN, id="auto client, stateless server"),
    ],
    indirect=["upstream"],
)
def test_a_registered_server_is_called_in_either_era(house: McpHouse, upstream: str, mode: str, version: str) -> None:
    register(house, upstream)
    house.grant("server:weather")

    async def use() -> tuple[list[str], Any, str]:
        async with house.sdk("weather", mode=mode) as client:
            listed = await client.list_tools()
            called = await client.call_tool("get_forecast", {"city": "Oslo"})
            return [tool.name for tool in listed.tools], called.content, client.session.protocol_version

    names, content, spoken = house.run(use)

    assert (sorted(names), spoken) == (sorted(NAMES), version)
    assert content == [types.TextContent(type="text", text="Sunny in Oslo")]


@pytest.mark.django_db
@pytest.mark.parametrize("upstream", [dual_era], indirect=True)
def test_a_tool_that_changes_is_gone_until_its_new_version_is_approved(house: McpHouse, upstream: str, tools: Tools) -> None:
    server = register(house, upstream)
    house.grant("server:weather")
    tools.named("echo").description = "Says it again, twice."

    def listed() -> set[str]:
        return {tool["name"] for tool in house.modern("weather", "tools/list").json()["result"]["tools"]}

    assert listed() == set(NAMES) - {"echo"}
    found = actions.refresh_server(actor=None, server=server)
    publish(house)
    assert listed() == set(NAMES) - {"echo"}

    assert found is not None
    actions.publish(actor=None, version=found)
    publish(house)
    assert listed() == set(NAMES)


@pytest.mark.django_db
@pytest.mark.parametrize("upstream", [dual_era], indirect=True)
def test_a_frozen_server_is_gone(house: McpHouse, upstream: str) -> None:
    server = register(house, upstream)
    house.grant("server:weather")
    assert house.modern("weather", "tools/list").status_code == 200

    actions.freeze(actor=None, item=server, reason="leak")
    publish(house)

    assert house.modern("weather", "tools/list").status_code == 404
