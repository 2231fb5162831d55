"""JSON-RPC messages: nothing is lost, nothing is read in two ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.jsonrpc import INVALID_REQUEST, PARSE_ERROR, RpcError, error_body, parse, refuse_ambiguous, result_body

texts = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)
extras = st.dictionaries(
    texts.filter(lambda name: name.casefold() not in {"jsonrpc", "id", "method", "params", "result", "error"}), values, max_size=3
)


@given(params=st.dictionaries(texts, values, max_size=4), extra=extras, rpc_id=st.integers() | texts, plain=st.booleans())
def test_a_message_in_compact_form_goes_on_byte_for_byte(params: Any, extra: Any, rpc_id: Any, plain: bool) -> None:
    message = {"jsonrpc": "2.0", "id": rpc_id, "method": "a/b", "params": params, **extra}
    body = json.dumps(message, separators=(",", ":"), ensure_ascii=plain).encode()

    parsed = parse(body)

    assert json.loads(parsed.encode()) == message
    if not plain:
        assert parsed.encode() == body
    assert json.loads(parsed.id or b"") == rpc_id
    assert parsed.method == "a/b"


@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_a_message_or_a_refusal(body: bytes) -> None:
    try:
        message = parse(body)
    except RpcError as error:
        assert error.rpc_code < -32000  # noqa: PT017 - both outcomes are right, nothing else is
    else:
        assert json.loads(message.encode())["jsonrpc"] == "2.0"


def test_of_repeated_members_the_last_is_read_and_the_only_one_sent() -> None:
    message = parse(b'{"jsonrpc":"2.0","id":1,"method":"a","method":"b","params":{"x":1,"x":2}}')

    assert message.method == "b"
    assert message.encode() == b'{"jsonrpc":"2.0","id":1,"method":"b","params":{"x":2}}'


@pytest.mark.parametrize("name", ["Method", "PARAMS", "Id", "para\u017fm\u017f".replace("\u017fm", "m"), "METHOD"])
def test_a_member_that_differs_only_in_case_is_refused(name: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "a", name: "b"}).encode()

    with pytest.raises(RpcError) as caught:
        parse(body)

    assert caught.value.rpc_code == INVALID_REQUEST


def test_camel_case_members_are_guarded_too() -> None:
    members = parse(b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"taskid":"x"}}').params or {}

    with pytest.raises(RpcError):
        refuse_ambiguous(members, frozenset({"taskId"}), rpc_id=b"1")


def test_depth_without_end_is_refused() -> None:
    with pytest.raises(RpcError) as caught:
        parse(b'{"jsonrpc":"2.0","id":1,"method":"a","params":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}}")

    assert caught.value.rpc_code == PARSE_ERROR


def test_answers_carry_the_id_as_it_came() -> None:
    assert result_body({"ok": True}, rpc_id=b'"\\u00e9"') == b'{"jsonrpc":"2.0","id":"\\u00e9","result":{"ok":true}}'
    assert error_body(-1, "no", rpc_id=None) == b'{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"no"}}'
