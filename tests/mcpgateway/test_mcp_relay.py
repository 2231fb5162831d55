"""What passes through the gateway, and that it passes unchanged."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from dataplane.snapshot import LimitRecord
from tests.fakes.mcp_servers import RawServer, Reply, Tools, dual_era, house_of_tools, result
from tests.fakes.recording import Recorder
from tests.mcpgateway.conftest import BOTH, LEGACY, MODERN, McpHouse, Put, modern_message

ECHO = {"name": "echo", "inputSchema": {"type": "object"}}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "tests", "version": "1"}},
}


def raw(house: McpHouse, script: Any, **more: Any) -> Recorder:
    recorder = Recorder(RawServer(script))
    house.serve_server("raw", recorder, tools=[ECHO], lifespan=False, **more)
    house.grant("server:raw")
    return recorder


def test_a_message_reaches_the_server_byte_for_byte(house: McpHouse) -> None:
    recorder = raw(house, lambda message, headers: result(message, {}))
    message, headers = modern_message("tools/call", {"name": "echo", "arguments": {"n": 1.0, "é": "ü", "big": 2**70}, "future": [None]})
    body = json.dumps({**message, "later": {"x": 1e3}}, ensure_ascii=False, separators=(",", ":")).encode()

    assert house.post("raw", body, headers=headers).status_code == 200

    assert recorder.seen[0].body == body


def test_an_answer_reaches_the_caller_byte_for_byte(house: McpHouse) -> None:
    body = b'{"jsonrpc": "2.0",\n "result": {"content": [], "resultType": "complete", "future": {"b": 1.10, "a": null}}, "id": 1, "x": 2}'
    raw(house, lambda message, headers: Reply(body=body))

    answer = house.modern("raw", "tools/call", {"name": "echo"})

    assert answer.content == body
    assert answer.headers["x-customhouse-route"] == "raw; tries=1"
    assert house.settled().outcome == "ok"


def test_events_reach_the_caller_byte_for_byte(house: McpHouse) -> None:
    chunks = [
        b': hello\n\nid: 7\nevent: message\nretry: 5\ndata: {"jsonrpc":"2.0","method":"notifications/progress",',
        b'"params":{"new":1}}\r\n\r\n',
        b'data: {"jsonrpc":"2.0","id":1,\ndata: "result":{"isError":false,"x":[1.0]}}\n\n',
    ]
    raw(house, lambda message, headers: Reply(content_type="text/event-stream", chunks=chunks))

    answer = house.modern("raw", "tools/call", {"name": "echo"})

    assert answer.content == b"".join(chunks)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-accel-buffering"] == "no"
    assert house.settled().outcome == "ok"


def test_headers_are_computed_for_the_server_and_the_caller_s_key_stays_here(house: McpHouse) -> None:
    recorder = raw(house, lambda message, headers: result(message, {}), secret="Bearer theirs")
    message, headers = modern_message("tools/call", {"name": "echo", "arguments": {"region": "eu"}})
    named = {"mcp-name": "=?base64?ZWNobw==?=", "mcp-param-region": "eu"}
    private = {"x-api-key": house.key, "cookie": "a=b", "x-forwarded-for": "1.2.3.4"}

    house.post("raw", message, headers={**headers, **named, **private})

    seen = recorder.seen[0].headers
    assert seen["mcp-protocol-version"] == MODERN
    assert (seen["mcp-method"], seen["mcp-name"]) == ("tools/call", "echo")
    assert seen["mcp-param-region"] == "eu"
    assert seen["authorization"] == "Bearer theirs"
    assert not {"x-api-key", "cookie", "x-forwarded-for", "origin"} & seen.keys()
    assert house.key not in json.dumps(seen)


def test_repeated_members_go_out_as_they_were_decided_on(house: McpHouse) -> None:
    """A server that reads the first of two names must not see another than the gateway did."""
    recorder = raw(house, lambda message, headers: result(message, {}))
    meta = json.dumps(modern_message("tools/call")[0]["params"]["_meta"])
    params = f'{{"name":"secret","name":"echo","_meta":{meta}}}'
    body = f'{{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{params}}}'

    headers = {"mcp-protocol-version": MODERN, "mcp-method": "tools/call", "mcp-name": "echo"}
    assert house.post("raw", body.encode(), headers=headers).status_code == 200

    assert recorder.seen[0].body.count(b'"name":"echo"') == 1
    assert b"secret" not in recorder.seen[0].body
    assert b"tools/list" not in recorder.seen[0].body


@pytest.mark.parametrize("era", ["modern", "legacy"])
def test_two_principals_with_the_same_ids_get_their_own_answers(house: McpHouse, era: str) -> None:
    both = threading.Barrier(2, timeout=20)

    def script(message: dict[str, Any], headers: dict[str, str]) -> Any:
        async def answer() -> Reply:
            import asyncio

            await asyncio.to_thread(both.wait)
            return result(message, {"content": [{"type": "text", "text": message["params"]["arguments"]["who"]}]})

        return answer()

    raw(house, script)
    other = house.contents.key("other", team=house.team)
    house.publish()

    def call(key: str, who: str) -> Any:
        params = {"name": "echo", "arguments": {"who": who}}
        if era == "modern":
            return house.modern("raw", "tools/call", params, rpc_id="same", key=key).json()
        return house.post("raw", {"jsonrpc": "2.0", "id": "same", "method": "tools/call", "params": params}, key=key).json()

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(call, (house.key, other), ("first", "second"))

    assert first["result"]["content"][0]["text"] == "first"
    assert second["result"]["content"][0]["text"] == "second"
    assert {event.principal_name for event in house.all_settled(2)} == {"desk-key-owner", "other-owner"}


def _open_session(house: McpHouse, *, key: str | None = None, slug: str = "weather") -> str:
    answer = house.post(slug, INITIALIZE, key=key)
    assert answer.status_code == 200
    return answer.headers["mcp-session-id"]


def _in_session(session: str) -> dict[str, str]:
    return {"mcp-session-id": session, "mcp-protocol-version": LEGACY}


def test_a_session_id_is_the_house_s_own_and_belongs_to_one_principal(house: McpHouse, put: Put, tools: Tools) -> None:
    recorder = put(dual_era(house_of_tools(tools)))
    put(dual_era(house_of_tools(Tools())), slug="other")
    mate = house.contents.key("mate", team=house.team)
    house.publish()
    session = _open_session(house)
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}

    def status(slug: str, text: str, key: str | None = None) -> int:
        return house.post(slug, ping, headers=_in_session(text), key=key).status_code

    assert status("weather", session) == 200
    assert status("weather", session, mate) == 404
    assert status("other", session) == 404
    theirs = [seen.headers["mcp-session-id"] for seen in recorder.seen if "mcp-session-id" in seen.headers]
    assert session not in theirs
    for made_up in (theirs[0], "x", session[:-4] + "AAAA", "A" * 5000, ""):
        assert status("weather", made_up) == 404
    assert len([seen for seen in recorder.seen if seen.body and seen.json["method"] == "ping"]) == 1


def test_a_foreign_session_answers_like_an_unknown_one(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)))
    mate = house.contents.key("mate", team=house.team)
    house.publish()
    session = _open_session(house, key=mate)

    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    answers = [house.post("weather", ping, headers=_in_session(text)) for text in (session, "no-such-session")]

    bodies = [answer.content.replace(answer.headers["x-request-id"].encode(), b"") for answer in answers]
    assert bodies[0] == bodies[1]
    assert answers[0].json()["error"]["data"]["code"] == "session_not_found"


def test_a_session_that_its_server_has_forgotten_is_not_found(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)))
    session = _open_session(house)

    deleted = house.http.delete("/mcp/weather", headers={"x-api-key": house.key, **_in_session(session)})
    after = house.post("weather", {"jsonrpc": "2.0", "id": 2, "method": "ping"}, headers=_in_session(session))

    assert deleted.status_code == 200
    assert after.status_code == 404
    assert after.json()["error"]["data"]["code"] == "session_not_found"


def test_a_session_does_not_follow_its_server_to_another_address(house: McpHouse, put: Put, tools: Tools) -> None:
    put(dual_era(house_of_tools(tools)))
    session = _open_session(house)
    put(dual_era(house_of_tools(Tools())))

    answer = house.post("weather", {"jsonrpc": "2.0", "id": 2, "method": "ping"}, headers=_in_session(session))

    assert answer.status_code == 404


def test_notifications_are_accepted_and_passed_on(house: McpHouse, put: Put, tools: Tools) -> None:
    recorder = put(dual_era(house_of_tools(tools)))
    session = _open_session(house)

    answer = house.post("weather", {"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=_in_session(session))

    assert (answer.status_code, answer.content) == (202, b"")
    assert recorder.calls("notifications/initialized")
    assert house.journaled() == []


def test_a_stream_that_is_resumed_is_resumed_at_the_server(house: McpHouse) -> None:
    chunks = [b'id: 9\ndata: {"jsonrpc":"2.0","id":1,"result":{"content":[]}}\n\n']
    recorder = raw(house, lambda message, headers: Reply(content_type="text/event-stream", chunks=chunks))

    headers = {"x-api-key": house.key, "accept": "text/event-stream", "last-event-id": "8", "mcp-protocol-version": LEGACY}
    answer = house.http.get("/mcp/raw", headers=headers)

    assert answer.content == chunks[0]
    assert recorder.seen[0].headers["last-event-id"] == "8"
    assert house.journaled() == []


def test_a_resumed_stream_does_not_show_what_a_list_would_hide(house: McpHouse) -> None:
    hidden = {"name": "secret", "inputSchema": {"type": "object"}}
    replayed = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": [hidden, ECHO], "nextCursor": "n"}})
    raw(house, lambda message, headers: Reply(content_type="text/event-stream", chunks=[f"id: 9\ndata: {replayed}\n\n".encode()]))

    headers = {"x-api-key": house.key, "accept": "text/event-stream", "last-event-id": "8", "mcp-protocol-version": LEGACY}
    answer = house.http.get("/mcp/raw", headers=headers)

    lines = answer.text.splitlines()
    assert lines[0] == "id: 9"
    assert json.loads(lines[1].removeprefix("data: "))["result"] == {"tools": [ECHO], "nextCursor": "n"}


def test_a_server_without_a_stream_says_so(house: McpHouse) -> None:
    raw(house, lambda message, headers: Reply(status=405, body=b""))

    answer = house.http.get("/mcp/raw", headers={"x-api-key": house.key, "accept": "text/event-stream"})

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_a_standing_stream_holds_none_of_the_caller_s_concurrency(house: McpHouse) -> None:
    def script(message: dict[str, Any], headers: dict[str, str]) -> Reply:
        if message:
            return result(message, {"content": []})
        return Reply(content_type="text/event-stream", chunks=[b": open\n\n"], hang=True)

    raw(house, script)
    key = house.contents.key("one-at-a-time", team=house.team, limits=LimitRecord(concurrency=1))
    house.publish()

    with house.http.stream("GET", "/mcp/raw", headers={"x-api-key": key, "accept": "text/event-stream"}) as stream:
        assert stream.status_code == 200
        with house.client() as another:
            message, headers = modern_message("tools/call", {"name": "echo"})
            fields = {"x-api-key": key, "accept": BOTH, **headers}
            assert another.post("/mcp/raw", json=message, headers=fields).status_code == 200


def test_a_silent_stream_opens_at_once(house: McpHouse) -> None:
    raw(house, lambda message, headers: Reply(content_type="text/event-stream", hang=True))

    with house.http.stream("GET", "/mcp/raw", headers={"x-api-key": house.key, "accept": "text/event-stream"}) as stream:
        assert stream.status_code == 200


def _call_until(house: McpHouse, chunks: list[bytes]) -> tuple[Recorder, httpx.Response, Any]:
    recorder = raw(house, lambda message, headers: Reply(content_type="text/event-stream", chunks=chunks, hang=True))
    message, headers = modern_message("tools/call", {"name": "echo"})
    fields = {"x-api-key": house.key, "accept": BOTH, **headers}
    context = house.http.stream("POST", "/mcp/raw", json=message, headers=fields)
    return recorder, context.__enter__(), context


def test_a_caller_that_leaves_ends_the_call_at_the_server(house: McpHouse) -> None:
    recorder, answer, context = _call_until(house, [b": working\n\n"])
    assert next(answer.iter_raw()) == b": working\n\n"

    context.__exit__(None, None, None)

    event = house.settled()
    assert (event.outcome, event.usage) == ("aborted", {"requests": 1})
    recorder.wait_for_cut()


def test_a_withdrawn_grant_cuts_a_running_call(house: McpHouse) -> None:
    _, answer, context = _call_until(house, [b": working\n\n"])
    parts = answer.iter_raw()
    next(parts)

    house.contents.grants.clear()
    house.publish()
    rest = b"".join(parts)
    context.__exit__(None, None, None)

    assert json.loads(rest.partition(b"data: ")[2])["error"]["data"]["code"] == "stream_cut"
    assert house.settled().outcome == "aborted"


@pytest.mark.parametrize("change", ["frozen", "tool gone", "toolset ungranted"])
def test_a_running_call_through_a_toolset_is_cut_with_its_server(house: McpHouse, change: str) -> None:
    raw(house, lambda message, headers: Reply(content_type="text/event-stream", chunks=[b": working\n\n"], hang=True))
    house.toolset("desk", {"raw_echo": ("raw", "echo")})
    house.contents.grants.clear()
    house.grant("toolset:desk")
    message, headers = modern_message("tools/call", {"name": "raw_echo"})
    with house.http.stream("POST", "/mcp/desk", json=message, headers={"x-api-key": house.key, "accept": BOTH, **headers}) as answer:
        parts = answer.iter_raw()
        next(parts)

        if change == "frozen":
            del house.contents.servers["raw"]
        elif change == "tool gone":
            house.register("raw", house.contents.servers["raw"].url, tools=[])  # type: ignore[union-attr]
        else:
            house.contents.grants.clear()
        house.publish()

        assert b"stream_cut" in b"".join(parts)


def test_a_priced_tool_costs_its_price_per_call(house: McpHouse) -> None:
    raw(house, lambda message, headers: result(message, {"content": []}), prices={"echo": "0.0125"})

    answer = house.modern("raw", "tools/call", {"name": "echo"})

    event = house.settled()
    assert (event.cost, event.currency, event.usage) == ("0.0125", "USD", {"requests": 1})
    assert event.price is not None
    assert answer.headers["x-customhouse-cost"] == "0.0125"


def test_a_budget_that_is_used_up_refuses_a_priced_tool(house: McpHouse) -> None:
    raw(house, lambda message, headers: result(message, {"content": []}), prices={"echo": "0.4"})
    house.contents.budget(f"team:{house.team}", 1_000_000_000)
    house.publish()

    statuses = [house.modern("raw", "tools/call", {"name": "echo"}).status_code for _ in range(4)]

    assert statuses == [200, 200, 402, 402]
    refused = house.modern("raw", "tools/call", {"name": "echo"})
    assert refused.headers["x-should-retry"] == "false"
    assert refused.json()["error"]["data"]["code"] == "budget_exceeded"


def test_a_rate_limit_is_told_in_the_protocol_s_shape(house: McpHouse) -> None:
    raw(house, lambda message, headers: result(message, {"content": []}))
    key = house.limited_key(rpm=1)

    answers = [house.modern("raw", "tools/call", {"name": "echo"}, key=key) for _ in range(3)]

    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert answers[-1].json()["error"]["data"]["code"] == "rate_limit_exceeded"
