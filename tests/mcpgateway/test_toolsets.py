"""Virtual servers: approved tools of several servers under one address."""

from __future__ import annotations

import json
from typing import Any

import mcp_types as types
import pytest

from tests.fakes.mcp_servers import Tools, dual_era, house_of_tools, legacy_only
from tests.fakes.recording import Recorder
from tests.mcpgateway.conftest import MODERN, McpHouse, Put, modern_message

MEMBERS = {"weather_get_forecast": ("weather", "get_forecast"), "tracker_echo": ("tracker", "echo"), "tracker_fail": ("tracker", "fail")}


@pytest.fixture
def desk(house: McpHouse, put: Put, tools: Tools) -> tuple[Recorder, Recorder]:
    """A toolset over two servers, granted to the team, which may use neither server by itself."""
    weather = put(dual_era(house_of_tools(tools)), slug="weather", grant=False)
    tracker = put(dual_era(house_of_tools(Tools(), name="tracker")), slug="tracker", grant=False)
    house.toolset("desk", MEMBERS)
    house.grant("toolset:desk")
    return weather, tracker


@pytest.mark.parametrize("mode", ["auto", MODERN])
async def test_a_client_lists_and_calls_tools_of_several_servers(house: McpHouse, desk: tuple[Recorder, Recorder], mode: str) -> None:
    weather, tracker = desk

    async with house.sdk("desk", mode=mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        forecast = await client.call_tool("weather_get_forecast", {"city": "Oslo"})
        echo = await client.call_tool("tracker_echo", {"text": "hi"})

    assert names == list(MEMBERS)
    assert forecast.content == [types.TextContent(type="text", text="Sunny in Oslo")]
    assert echo.content == [types.TextContent(type="text", text="hi")]
    assert [seen.headers["mcp-name"] for seen in weather.calls("tools/call")] == ["get_forecast"]
    assert [seen.json["params"]["name"] for seen in tracker.calls("tools/call")] == ["echo"]
    assert [(event.server, event.tool) for event in house.all_settled(2)] == [("weather", "get_forecast"), ("tracker", "echo")]


def test_the_list_is_the_approved_definitions_under_public_names(house: McpHouse, desk: Any) -> None:
    answer = house.modern("desk", "tools/list").json()["result"]

    assert answer["cacheScope"] == "private"
    approved = {tool.name: json.loads(tool.definition) for tool in house.contents.servers["weather"].tools}  # type: ignore[union-attr]
    assert answer["tools"][0] == {**approved["get_forecast"], "name": "weather_get_forecast"}


@pytest.mark.parametrize("name", ["get_forecast", "weather_hold", "tracker/echo", "nothing"])
def test_a_tool_outside_the_set_is_unknown(house: McpHouse, desk: tuple[Recorder, Recorder], name: str) -> None:
    answer = house.modern("desk", "tools/call", {"name": name})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32602
    assert answer.json()["error"]["data"]["code"] == "unknown_tool"
    assert not desk[0].seen + desk[1].seen


def test_a_toolset_that_is_not_granted_does_not_exist(house: McpHouse, desk: Any) -> None:
    nobody = house.stranger()

    hidden = house.modern("desk", "tools/list", key=nobody)
    missing = house.modern("desks", "tools/list", key=nobody)

    assert (hidden.status_code, hidden.json()["error"]["message"]) == (404, missing.json()["error"]["message"])


def test_a_tool_that_is_no_longer_approved_leaves_the_set(house: McpHouse, desk: Any) -> None:
    del house.contents.servers["tracker"]
    house.publish()

    names = [tool["name"] for tool in house.modern("desk", "tools/list").json()["result"]["tools"]]

    assert names == ["weather_get_forecast"]
    assert house.modern("desk", "tools/call", {"name": "tracker_echo"}).status_code == 400


def test_a_tool_that_was_seen_changed_leaves_the_set(house: McpHouse, desk: Any, tools: Tools) -> None:
    tools.named("get_forecast").description = "Changed."
    house.grant("server:weather")
    house.modern("weather", "tools/list")

    names = [tool["name"] for tool in house.modern("desk", "tools/list").json()["result"]["tools"]]

    assert "weather_get_forecast" not in names
    assert house.modern("desk", "tools/call", {"name": "weather_get_forecast"}).status_code == 400


@pytest.mark.parametrize("method", ["prompts/list", "resources/list", "subscriptions/listen", "no/such"])
def test_a_toolset_has_tools_and_nothing_else(house: McpHouse, desk: Any, method: str) -> None:
    answer = house.modern("desk", method)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)


def test_a_cursor_is_unknown(house: McpHouse, desk: Any) -> None:
    answer = house.modern("desk", "tools/list", {"cursor": "x"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)


def test_a_sessions_client_is_told_which_version_a_toolset_speaks(house: McpHouse, desk: Any) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25", "capabilities": {}}}

    answer = house.post("desk", message)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32022
    assert answer.json()["error"]["data"]["supported"] == [MODERN]


def test_a_member_whose_server_speaks_the_other_era_says_so(house: McpHouse, put: Put) -> None:
    put(legacy_only(house_of_tools(Tools())), slug="old", grant=False, era="legacy")
    house.toolset("desk", {"old_echo": ("old", "echo")})
    house.grant("toolset:desk")

    answer = house.modern("desk", "tools/call", {"name": "old_echo", "arguments": {"text": "x"}})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32022)


def test_a_get_and_a_notification_of_a_toolset(house: McpHouse, desk: Any) -> None:
    message, headers = modern_message("notifications/cancelled")
    del message["id"]

    assert house.post("desk", message, headers=headers).status_code == 202
    assert house.http.get("/mcp/desk", headers={"x-api-key": house.key}).status_code == 405
