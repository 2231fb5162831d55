"""The MCP SDK's own client, in both eras, over a real socket through the gateway to real SDK servers."""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
import pytest
from mcp.server.subscriptions import ToolsListChanged
from mcp.shared.exceptions import MCPError

from tests.fakes.mcp_servers import Tools, dual_era, house_of_tools, legacy_only, legacy_stateless, modern_only
from tests.mcpgateway.conftest import LEGACY, MODERN, McpHouse, Put

NAMES = ["get_forecast", "echo", "fail", "count", "hold", "ask"]

ERAS = [
    pytest.param(dual_era, "legacy", LEGACY, id="sessions client, dual-era server"),
    pytest.param(dual_era, "auto", MODERN, id="auto client, dual-era server"),
    pytest.param(dual_era, MODERN, MODERN, id="stateless client, dual-era server"),
    pytest.param(legacy_only, "legacy", LEGACY, id="sessions client, sessions server"),
    pytest.param(legacy_only, "auto", LEGACY, id="auto client, sessions server"),
    pytest.param(legacy_stateless, "legacy", LEGACY, id="sessions client, server without sessions"),
    pytest.param(modern_only, "auto", MODERN, id="auto client, stateless server"),
    pytest.param(modern_only, MODERN, MODERN, id="stateless client, stateless server"),
]


@pytest.mark.parametrize(("make", "mode", "version"), ERAS)
async def test_a_client_lists_and_calls_tools(house: McpHouse, put: Put, tools: Tools, make: Any, mode: str, version: str) -> None:
    put(make(house_of_tools(tools)))

    async with house.sdk("weather", mode=mode) as client:
        listed = await client.list_tools()
        called = await client.call_tool("get_forecast", {"city": "Oslo"})

        assert client.session.protocol_version == version
    assert [tool.name for tool in listed.tools] == NAMES
    assert called.content == [types.TextContent(type="text", text="Sunny in Oslo")]
    event = house.settled()
    assert (event.plane, event.server, event.tool, event.outcome, event.usage) == ("mcp", "weather", "get_forecast", "ok", {"requests": 1})


@pytest.mark.parametrize("mode", ["legacy", MODERN])
async def test_progress_arrives_while_the_call_runs(house: McpHouse, put: Put, tools: Tools, mode: str) -> None:
    put(dual_era(house_of_tools(tools)))
    seen: list[tuple[float, float | None, str | None]] = []

    async def progress(done: float, total: float | None, text: str | None) -> None:
        seen.append((done, total, text))

    async with house.sdk("weather", mode=mode) as client:
        called = await client.call_tool("count", {}, progress_callback=progress)

    assert called.content == [types.TextContent(type="text", text="counted")]
    assert seen == [(1.0, 3.0, "step 1"), (2.0, 3.0, "step 2"), (3.0, 3.0, "step 3")]


@pytest.mark.parametrize("mode", ["legacy", MODERN])
async def test_a_failed_tool_reaches_the_caller_and_counts_as_an_error(house: McpHouse, put: Put, tools: Tools, mode: str) -> None:
    put(dual_era(house_of_tools(tools)))

    async with house.sdk("weather", mode=mode) as client:
        called = await client.call_tool("fail", {})

    assert called.is_error
    assert called.content == [types.TextContent(type="text", text="it broke")]
    event = house.settled()
    assert (event.outcome, event.status, event.usage) == ("error", 200, {"requests": 1})


async def test_a_server_asks_its_caller_in_the_middle_of_a_call(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)))

    async def answer(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async with house.sdk("weather", mode="legacy", elicitation_callback=answer) as client:
        called = await client.call_tool("ask", {})

    assert called.content == [types.TextContent(type="text", text="Hello Ada")]


async def test_a_stateless_client_hears_that_the_tools_changed(house: McpHouse, put: Put, tools: Tools) -> None:
    server = house_of_tools(tools)
    recorder = put(dual_era(server))
    async with house.sdk("weather", mode=MODERN) as client, asyncio.timeout(20), client.listen(tools_list_changed=True) as subscription:
        tools.publish(ToolsListChanged())
        heard = await anext(aiter(subscription))
    assert isinstance(heard, ToolsListChanged)
    assert recorder.calls("subscriptions/listen")


@pytest.mark.parametrize("mode", ["legacy", MODERN])
async def test_prompts_and_resources_are_relayed(house: McpHouse, put: Put, tools: Tools, mode: str) -> None:
    put(dual_era(house_of_tools(tools)))

    async with house.sdk("weather", mode=mode) as client:
        prompts = await client.list_prompts()
        prompt = await client.get_prompt("greet")
        resource = await client.read_resource("memo://map")

    assert [item.name for item in prompts.prompts] == ["greet"]
    assert prompt.messages[0].content == types.TextContent(type="text", text="Hello")
    assert resource.contents[0].model_dump()["text"] == "here be dragons"
    assert [(event.server, event.tool) for event in house.all_settled(2)] == [("weather", ""), ("weather", "")]


async def test_a_session_ends_at_the_server_when_its_client_leaves(house: McpHouse, put: Put, tools: Tools) -> None:
    recorder = put(dual_era(house_of_tools(tools)))

    async with house.sdk("weather", mode="legacy") as client:
        await client.list_tools()

    assert recorder.seen[-1].method == "DELETE"
    used = {seen.headers["mcp-session-id"] for seen in recorder.seen if "mcp-session-id" in seen.headers}
    assert len(used) == 1


async def test_a_sessions_client_at_a_stateless_server_is_told_which_version_to_speak(house: McpHouse, put: Put, tools: Tools) -> None:
    put(modern_only(house_of_tools(tools)))

    with pytest.raises(BaseExceptionGroup) as caught:
        async with house.sdk("weather", mode="legacy"):
            raise AssertionError("the handshake was let through")

    error = _only(caught.value)
    assert error.code == -32022
    assert error.data["supported"] == [MODERN]


async def test_a_stateless_client_at_a_sessions_server_is_told_which_version_to_speak(house: McpHouse, put: Put, tools: Tools) -> None:
    put(legacy_only(house_of_tools(tools)))

    with pytest.raises(BaseExceptionGroup) as caught:
        async with house.sdk("weather", mode=MODERN) as client:
            await client.list_tools()

    error = _only(caught.value)
    assert error.code == -32022
    assert LEGACY in error.data["supported"]


def _only(group: BaseException) -> Any:
    while isinstance(group, BaseExceptionGroup):
        assert len(group.exceptions) == 1
        group = group.exceptions[0]
    assert isinstance(group, MCPError)
    return group.error
