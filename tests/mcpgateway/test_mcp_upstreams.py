"""Servers that are down, hang, lie or say too much, and what their callers are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.mcp_servers import RawServer, Reply, result
from tests.fakes.serving import refusing, unanswering
from tests.mcpgateway.conftest import McpHouse, error_of

PLAIN = [{"name": "echo", "inputSchema": {"type": "object"}}]


def test_a_server_that_refuses_connections_is_a_502(house: McpHouse) -> None:
    with refusing() as url:
        house.register("down", f"{url}/mcp", tools=PLAIN)
        house.grant("server:down")
        answer = house.modern("down", "tools/call", {"name": "echo"}, rpc_id="mine")

    assert answer.status_code == 502
    assert answer.json()["id"] == "mine"
    assert error_of(answer)["data"]["code"] == "upstream_error"
    event = house.settled()
    assert (event.outcome, event.status, event.usage, event.cost) == ("error", 502, {}, "0")


def test_a_server_that_can_not_be_reached_in_time_is_a_502(house: McpHouse) -> None:
    with unanswering() as url:
        house.register("away", f"{url}/mcp", tools=PLAIN, connect_timeout=0.3)
        house.grant("server:away")
        answer = house.modern("away", "tools/call", {"name": "echo"})

    assert answer.status_code == 502
    assert house.settled().usage == {}


def test_a_server_that_hangs_is_a_504_and_counts_as_called(house: McpHouse) -> None:
    house.serve_server("slow", RawServer(lambda message, headers: Reply(hang=True)), tools=PLAIN, lifespan=False, read_timeout=0.3)
    house.grant("server:slow")

    answer = house.modern("slow", "tools/call", {"name": "echo"})

    assert answer.status_code == 504
    assert error_of(answer)["data"]["code"] == "upstream_timeout"
    event = house.settled()
    assert (event.outcome, event.usage, event.estimated) == ("error", {"requests": 1}, True)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<html>"),
        Reply(body=b""),
        Reply(body=b"[1]"),
        Reply(status=302, body=b"", headers={"location": "http://169.254.169.254/"}),
        Reply(status=307, body=b'{"jsonrpc":"2.0","id":1,"result":{}}', headers={"location": "http://169.254.169.254/"}),
        Reply(status=500, body=b"boom", content_type="text/plain"),
        Reply(status=503, body=b""),
        Reply(content_type="text/event-stream", chunks=[b"data: nonsense\n\n"]),
        Reply(content_type="text/event-stream", chunks=[b"data: {"], body=b""),
    ],
)
def test_a_server_that_answers_nonsense_is_a_502(house: McpHouse, reply: Reply) -> None:
    house.serve_server("odd", RawServer(lambda message, headers: reply), tools=PLAIN, lifespan=False)
    house.grant("server:odd")

    answer = house.modern("odd", "tools/call", {"name": "echo"})

    assert answer.status_code == 502
    assert error_of(answer)["code"] == -32010
    assert house.settled().outcome == "error"


@pytest.mark.parametrize("chunks", [[b": ping\n\n", b"data: {"], [b": ping\n\n"]])
def test_a_stream_that_ends_without_its_answer_ends_with_an_error(house: McpHouse, chunks: list[bytes]) -> None:
    server = RawServer(lambda message, headers: Reply(content_type="text/event-stream", chunks=chunks))
    house.serve_server("odd", server, tools=PLAIN, lifespan=False)
    house.grant("server:odd")

    answer = house.modern("odd", "tools/call", {"name": "echo"}, rpc_id="mine")

    assert answer.status_code == 200
    last = json.loads(answer.text.rpartition("data: ")[2])
    assert (last["id"], last["error"]["code"]) == ("mine", -32603)
    assert house.settled().outcome == "error"


def test_the_house_s_credential_being_refused_is_not_the_caller_s_fault(house: McpHouse) -> None:
    refusal = Reply(status=401, body=b'{"error":"invalid_token"}', headers={"www-authenticate": "Bearer realm=theirs"})
    house.serve_server("locked", RawServer(lambda message, headers: refusal), tools=PLAIN, lifespan=False)
    house.grant("server:locked")

    answer = house.modern("locked", "tools/call", {"name": "echo"})

    assert answer.status_code == 502
    assert error_of(answer)["data"]["code"] == "upstream_unauthorized"
    assert "www-authenticate" not in answer.headers


def test_a_rate_limit_of_the_server_is_passed_on(house: McpHouse) -> None:
    reply = Reply(status=429, body=b"", headers={"retry-after": "7"})
    house.serve_server("busy", RawServer(lambda message, headers: reply), tools=PLAIN, lifespan=False)
    house.grant("server:busy")

    answer = house.modern("busy", "tools/call", {"name": "echo"})

    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"


def test_a_server_s_own_error_passes_as_it_is(house: McpHouse) -> None:
    body = b'{"jsonrpc":"2.0", "id":1, "error":{"code":-32021,"message":"needs sampling","data":{"x":1}},"extra":[1.0]}'
    house.serve_server("strict", RawServer(lambda message, headers: Reply(status=400, body=body)), tools=PLAIN, lifespan=False)
    house.grant("server:strict")

    answer = house.modern("strict", "tools/call", {"name": "echo"})

    assert (answer.status_code, answer.content) == (400, body)


def test_an_answer_without_bounds_is_cut(house: McpHouse) -> None:
    huge = Reply(chunks=[b'{"jsonrpc":"2.0","id":1,"result":{"text":"', *[b"x" * (1 << 20)] * 70], body=b'"}}')
    house.serve_server("huge", RawServer(lambda message, headers: huge), tools=PLAIN, lifespan=False)
    house.grant("server:huge")

    answer = house.modern("huge", "tools/call", {"name": "echo"})

    assert answer.status_code == 502
    assert error_of(answer)["data"]["code"] == "upstream_answer_too_large"


def test_a_private_address_is_not_called_unless_an_admin_said_so(house: McpHouse) -> None:
    called: list[Any] = []
    server = RawServer(lambda message, headers: called.append(message) or result(message, {}))  # type: ignore[func-returns-value]
    house.serve_server("inside", server, tools=PLAIN, lifespan=False, allow_private_network=False)
    house.grant("server:inside")

    answer = house.modern("inside", "tools/call", {"name": "echo"})

    assert answer.status_code == 502
    assert error_of(answer)["data"]["code"] == "upstream_address_refused"
    assert called == []
