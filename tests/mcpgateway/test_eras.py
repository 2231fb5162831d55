"""The rules of the two eras, against the MCP SDK's own reading of them."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import AsyncMock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import (
    InboundLadderRejection,
    classify_inbound_request,
    decode_header_value,
    encode_header_value,
    find_duplicated_routing_header,
)

from dataplane.asgi import Request
from dataplane.jsonrpc import RpcError, parse
from mcpgateway.proxy.eras import MODERN, Headers, check_modern, decode_header, encode_header, is_modern, read_headers

texts = st.text(st.characters(codec="utf-8"))
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
VERSION = "io.modelcontextprotocol/protocolVersion"


def read(fields: list[tuple[str, str]]) -> Headers:
    """As the gateway reads a request's headers."""
    scope = {"method": "POST", "path": "/", "headers": [(name.encode(), text.encode()) for name, text in fields]}
    request = Request(scope, AsyncMock(), AsyncMock())
    request.guard()
    return read_headers(request.headers, request.raw_headers)


@given(texts | st.sampled_from(["=?base64?ZWNobw==?=", " x", "x ", "=?base64??=", "a\tb"]))
def test_a_value_is_encoded_as_the_sdk_does_and_comes_back(value: str) -> None:
    assert encode_header(value) == encode_header_value(value)
    assert decode_header(encode_header(value)) == value


@given(texts | st.binary(max_size=12).map(lambda raw: f"=?base64?{raw.hex()}?=") | st.just("=?base64?ZWNobx==?="))
def test_a_value_is_decoded_as_the_sdk_does(value: str) -> None:
    assert decode_header(value) == decode_header_value(value)


metas = st.fixed_dictionaries(
    {},
    optional={
        VERSION: st.sampled_from([MODERN, "2025-11-25", "2027-01-01", 7, None]),
        CAPABILITIES: st.sampled_from([{}, {"sampling": {}}]),
        "traceparent": st.just("00-x"),
    },
)
params = st.fixed_dictionaries(
    {}, optional={"_meta": metas | st.just("x"), "name": st.sampled_from(["echo", "é", " x"]), "uri": st.just("memo://x")}
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "mcp-protocol-version": st.sampled_from([MODERN, "2025-11-25", "2027-01-01"]),
        "mcp-method": st.sampled_from(["tools/call", "tools/list"]),
        "mcp-name": st.sampled_from(["echo", encode_header("é"), encode_header(" x"), "other", "=?base64?!?=", "memo://x"]),
    },
)


@given(method=st.sampled_from(["tools/call", "tools/list", "resources/read", "x/y"]), params=params, headers=headers)
def test_a_request_is_refused_for_the_reason_the_sdk_gives(method: str, params: Any, headers: dict[str, str]) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    theirs = classify_inbound_request(message, headers=headers)
    expected = theirs.code if isinstance(theirs, InboundLadderRejection) else None
    if isinstance(params.get("_meta"), dict) and params["_meta"].get(VERSION, "") in (7, None) and expected == -32020:
        expected = -32602  # a version that is no text is told as such first: no header could ever match it

    assert _refused_with(message, list(headers.items())) == expected


def _refused_with(message: Any, fields: list[tuple[str, str]]) -> int | None:
    try:
        check_modern(parse(json.dumps(message).encode()), read(fields))
    except RpcError as error:
        return error.rpc_code
    return None


@pytest.mark.parametrize("name", ["mcp-protocol-version", "mcp-method", "mcp-name"])
def test_a_routing_header_that_comes_twice_is_refused_even_with_the_same_value(name: str) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo", "_meta": {VERSION: MODERN, CAPABILITIES: {}}}}
    fields = [("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", "echo")]
    repeated = [*fields, (name, dict(fields)[name])]

    assert find_duplicated_routing_header(repeated) == name
    assert _refused_with(message, fields) is None
    assert _refused_with(message, repeated) == -32020


def test_blanks_around_a_header_do_not_count() -> None:
    headers = read([("mcp-name", " \techo  "), ("mcp-param-region", " eu "), ("mcp-session-id", " s")])

    assert (headers.name, headers.session, headers.param) == ("echo", "s", (("mcp-param-region", "eu"),))


@pytest.mark.parametrize(
    ("version", "meta", "modern"),
    [
        (None, None, False),
        ("2025-11-25", None, False),
        ("2024-11-05", {}, False),
        (MODERN, None, True),
        ("2027-01-01", None, True),
        ("nonsense", None, True),
        (None, {VERSION: MODERN}, True),
        ("2025-11-25", {VERSION: MODERN}, True),
    ],
)
def test_the_body_decides_the_era_and_the_header_where_the_body_is_silent(version: str | None, meta: Any, modern: bool) -> None:
    params = {} if meta is None else {"_meta": meta}
    message = parse(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params}).encode())
    headers = read([] if version is None else [("mcp-protocol-version", version)])

    assert is_modern(headers, message) == modern
