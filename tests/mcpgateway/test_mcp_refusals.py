"""How the MCP gateway says no: shapes, codes, and what a refusal must not tell."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.fakes.mcp_servers import RawServer, Reply, Tools, dual_era, house_of_tools
from tests.mcpgateway.conftest import LEGACY, MODERN, McpHouse, Put, definitions, error_of, modern_message

PLAIN = [{"name": "echo", "inputSchema": {"type": "object"}}]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}},
}


def without_ids(answer: httpx.Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All of an answer but its request id."""
    own = answer.headers["x-request-id"].encode()
    fields = [(name, value) for name, value in answer.headers.items() if name != "x-request-id"]
    return answer.status_code, answer.content.replace(own, b"<id>"), fields


@pytest.mark.parametrize("key", ["ch_00000000_wrong", ""])
def test_a_wrong_key_is_refused_with_a_bearer_challenge(house: McpHouse, put: Put, tools: Tools, key: str) -> None:
    recorder = put(dual_era(house_of_tools(tools)))
    headers = {"authorization": f"Bearer {key}"} if key else {"authorization": ""}

    answer = house.post("weather", INITIALIZE, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert error_of(answer)["code"] == -32001
    assert recorder.seen == []
    assert house.journaled() == []


def test_a_server_that_is_not_granted_answers_like_one_that_does_not_exist(house: McpHouse, put: Put, tools: Tools) -> None:
    recorder = put(dual_era(house_of_tools(tools)), grant=False)
    message, headers = modern_message("tools/call", {"name": "echo", "arguments": {"text": "x"}})

    for body, extra in ((message, headers), (INITIALIZE, {}), (b"not json", {})):
        hidden = house.post("weather", body, headers=extra)
        missing = house.post("nowhere", body, headers=extra)
        assert hidden.status_code == 404
        assert without_ids(hidden) == without_ids(missing)
    assert without_ids(house.http.get("/mcp/weather", headers={"x-api-key": house.key})) == without_ids(
        house.http.get("/mcp/nowhere", headers={"x-api-key": house.key})
    )
    assert recorder.seen == []


@pytest.mark.parametrize("mode", ["legacy", "modern"])
def test_a_tool_that_is_not_granted_answers_like_one_that_does_not_exist(house: McpHouse, put: Put, tools: Tools, mode: str) -> None:
    put(dual_era(house_of_tools(tools)), grant=False)
    house.grant("tool:weather/echo")

    def call(name: str) -> tuple[int, bytes, Any]:
        if mode == "modern":
            answer = house.modern("weather", "tools/call", {"name": name, "arguments": {}})
        else:
            answer = house.post("weather", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name}})
        status, body, headers = without_ids(answer)
        return status, body.replace(name.encode(), b"<name>"), [item for item in headers if item[0] != "content-length"]

    withheld, unknown = call("get_forecast"), call("no_such_tool")

    assert withheld == unknown
    assert withheld[0] == (400 if mode == "modern" else 200)
    assert json.loads(withheld[1])["error"]["code"] == -32602
    assert house.journaled() == []


def test_a_server_of_which_no_tool_is_granted_does_not_exist(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)), grant=False)
    house.grant("tool:weather/no_longer_there")

    assert house.modern("weather", "tools/list").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, -32700),
        (b"{", 400, -32700),
        (b"\xff", 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":' + b"[" * 50_000, 400, -32700),
        (b"[]", 400, -32600),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600),
        (b'"tools/list"', 400, -32600),
        (b'{"id":1,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":""}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', 400, -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","Method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', 400, -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}', 400, -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"fail"}}', 400, -32600),
        (b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"1"}}', 200, -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"server/discover"}', 200, -32601),
    ],
)
def test_what_is_no_message_is_refused_before_the_server_sees_it(
    house: McpHouse, put: Put, tools: Tools, body: bytes, status: int, code: int
) -> None:
    recorder = put(dual_era(house_of_tools(tools)))

    answer = house.post("weather", body)

    assert answer.status_code == status
    assert error_of(answer)["code"] == code
    assert recorder.seen == []
    assert house.journaled() == []


def test_a_refusal_carries_the_id_of_the_message(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)))

    for rpc_id in (7, "seven", 12345678901234567890):
        answer = house.post("weather", {"jsonrpc": "2.0", "id": rpc_id, "method": "tools/call", "params": {"name": "nothing"}})
        assert answer.json()["id"] == rpc_id


def test_another_content_type_is_refused(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)))

    answer = house.post("weather", INITIALIZE, headers={"content-type": "text/plain"})

    assert answer.status_code == 415
    assert error_of(answer)["data"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize("origin", ["https://evil.example", "http://127.0.0.1.evil.example", "null", "http://[", "file://"])
def test_a_page_of_another_origin_is_refused(house: McpHouse, put: Put, tools: Tools, origin: str) -> None:
    recorder = put(dual_era(house_of_tools(tools)))

    answer = house.post("weather", INITIALIZE, headers={"origin": origin})

    assert answer.status_code == 403
    assert error_of(answer)["data"]["code"] == "forbidden_origin"
    assert recorder.seen == []


def test_a_page_that_rebound_its_name_to_the_house_is_refused(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)))

    answer = house.post("weather", INITIALIZE, headers={"origin": "http://evil.example", "host": "evil.example"})

    assert answer.status_code == 403


def test_a_page_of_the_house_may_call(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)))

    assert house.post("weather", INITIALIZE, headers={"origin": house.url}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_the_stateless_era_has_no_streams_and_no_sessions_to_delete(house: McpHouse, put: Put, tools: Tools, method: str) -> None:
    put(dual_era(house_of_tools(tools)))
    headers = {"x-api-key": house.key, "mcp-protocol-version": MODERN}

    answer = house.http.request(method, "/mcp/weather", headers=headers)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert error_of(answer)["data"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "tasks/get", "no/such"])
def test_a_method_that_the_stateless_era_has_not_is_not_found(house: McpHouse, put: Put, tools: Tools, method: str) -> None:
    recorder = put(dual_era(house_of_tools(tools)))

    answer = house.modern("weather", method)

    assert answer.status_code == 404
    assert error_of(answer)["code"] == -32601
    assert recorder.seen == []


def _changed(headers: dict[str, str], **more: str | None) -> dict[str, str]:
    merged = {**headers, **{name.replace("_", "-"): value for name, value in more.items()}}
    return {name: value for name, value in merged.items() if value is not None}


@pytest.mark.parametrize(
    "change",
    [
        {"mcp_method": "tools/list"},
        {"mcp_method": None},
        {"mcp_name": "fail"},
        {"mcp_name": None},
        {"mcp_name": "=?base64?ZmFpbA==?="},
        {"mcp_name": "=?base64?not base64?="},
        {"mcp_protocol_version": None},
        {"mcp_protocol_version": LEGACY},
        {"mcp_protocol_version": "2027-01-01"},
    ],
)
def test_headers_that_disagree_with_the_body_are_refused(house: McpHouse, put: Put, tools: Tools, change: dict[str, str | None]) -> None:
    recorder = put(dual_era(house_of_tools(tools)))
    message, headers = modern_message("tools/call", {"name": "echo", "arguments": {"text": "x"}})

    answer = house.post("weather", message, headers=_changed(headers, **change))

    assert answer.status_code == 400
    assert error_of(answer)["code"] == -32020
    assert recorder.seen == []


def test_a_header_that_comes_twice_is_refused(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)))
    message, headers = modern_message("tools/call", {"name": "echo", "arguments": {"text": "x"}})
    fields = [*headers.items(), ("mcp-name", "echo"), ("authorization", f"Bearer {house.key}"), ("content-type", "application/json")]

    answer = house.http.post("/mcp/weather", content=json.dumps(message), headers=fields)

    assert answer.status_code == 400
    assert error_of(answer)["code"] == -32020


def test_a_header_may_be_encoded(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)))
    message, headers = modern_message("tools/call", {"name": "echo", "arguments": {"text": "x"}})

    assert house.post("weather", message, headers={**headers, "mcp-name": "=?base64?ZWNobw==?="}).status_code == 200


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        (None, -32602),
        ({"io.modelcontextprotocol/protocolVersion": MODERN}, -32602),
        ({"io.modelcontextprotocol/clientCapabilities": {}}, -32602),
        ({"io.modelcontextprotocol/protocolVersion": 7, "io.modelcontextprotocol/clientCapabilities": {}}, -32602),
        ({"io.modelcontextprotocol/protocolVersion": "2027-01-01", "io.modelcontextprotocol/clientCapabilities": {}}, -32022),
    ],
)
def test_a_message_without_its_envelope_is_refused(house: McpHouse, put: Put, tools: Tools, meta: Any, code: int) -> None:
    put(dual_era(house_of_tools(tools)))
    params = {} if meta is None else {"_meta": meta}
    version = (meta or {}).get("io.modelcontextprotocol/protocolVersion", MODERN)
    headers = {"mcp-protocol-version": version if isinstance(version, str) else MODERN, "mcp-method": "tools/list"}

    answer = house.post("weather", {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}, headers=headers)

    assert answer.status_code == 400
    assert error_of(answer)["code"] == code
    if code == -32022:
        assert error_of(answer)["data"]["supported"] == [MODERN]
        assert error_of(answer)["data"]["requested"] == "2027-01-01"


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"notifications": {"toolsListChanged": True}}, 200),
        ({}, 200),
        ({"notifications": {"toolsListChanged": True, "resourceSubscriptions": ["memo://map"]}}, 400),
        ({"notifications": {"promptsListChanged": True}}, 400),
        ({"Notifications": {"promptsListChanged": True}}, 400),
        ({"notifications": 7}, 400),
    ],
)
def test_a_caller_of_some_tools_hears_of_tools_alone(house: McpHouse, wanted: Any, status: int) -> None:
    stream = Reply(content_type="text/event-stream", chunks=[b": open\n\n"])
    house.serve_server("weather", RawServer(lambda message, headers: stream), tools=PLAIN, lifespan=False)
    house.grant("tool:weather/echo")

    assert house.modern("weather", "subscriptions/listen", wanted).status_code == status


@pytest.mark.parametrize("method", ["prompts/list", "resources/read", "completion/complete"])
def test_a_caller_of_some_tools_finds_nothing_else(house: McpHouse, put: Put, tools: Tools, method: str) -> None:
    recorder = put(dual_era(house_of_tools(tools)), grant=False)
    house.grant("tool:weather/echo")

    assert house.modern("weather", method, {"uri": "memo://map"}).status_code == 404
    assert house.modern("weather", "server/discover").json()["result"]["capabilities"].keys() == {"tools"}
    assert [seen.json["method"] for seen in recorder.seen] == ["server/discover"]


def test_a_body_that_is_too_large_is_refused(house: McpHouse, put: Put, tools: Tools) -> None:
    recorder = put(dual_era(house_of_tools(tools)))

    answer = house.post("weather", b'"' + b"x" * (20 * 1024 * 1024) + b'"')

    assert answer.status_code == 413
    assert error_of(answer)["data"]["code"] == "request_too_large"
    assert recorder.seen == []


def test_definitions_are_what_the_sdk_sends(tools: Tools) -> None:
    """Guards the fixtures: an approved definition that differs from the wire would hide every tool."""
    assert [tool["name"] for tool in definitions(tools.tools)] == [tool.name for tool in tools.tools]
