"""What goes wrong in OpenAI Responses: refusals, errors in a stream, bodies that are no answer."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.events import (
    Begin,
    Delta,
    Done,
    Failed,
    Open,
    Used,
    fold,
)
from llmgateway.proxy.conversation.parts import Json, Text
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.openai_responses.codec import DIALECT
from tests.fakes.cassettes import Cassette, cases, select
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.responses_kit import (
    asked,
    payloads,
    read,
    sdk_stream,
    written,
)

REFUSALS = [cassette for cassette in select(("openai", "deepseek"), ("responses",)) if cassette.status >= 400]


@pytest.mark.parametrize("cassette", cases(REFUSALS))
def test_a_recorded_refusal_is_understood(cassette: Cassette) -> None:
    failure = DIALECT.parse_error(cassette.status, cassette.answer)

    assert failure.status == cassette.status
    assert failure.kind == ("not_found" if failure.code == "model_not_found" else "invalid")
    assert failure.message == json.loads(cassette.answer)["error"]["message"]


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (429, b'{"error":{"message":"Slow","code":"rate_limit_exceeded"}}', "rate_limit", "Slow"),
        (429, b'{"error":{"message":"Pay","type":"insufficient_quota","code":"insufficient_quota"}}', "quota", "Pay"),
        (400, b'{"error":{"message":"Long","code":"context_length_exceeded"}}', "context_length", "Long"),
        (502, b"<html>Bad gateway</html>", "server", "<html>Bad gateway</html>"),
        (503, b"", "overloaded", "The upstream refused the call with status 503."),
        (500, b'[{"error":"gone"}]', "server", "gone"),
        (401, b'{"detail":"Who?"}', "authentication", "Who?"),
        (400, b'{"error":{"message":7,"code":400}}', "invalid", "7"),
    ],
)
def test_an_error_of_any_shape_is_understood(status: int, body: bytes, kind: str, message: str) -> None:
    failure = DIALECT.parse_error(status, body)

    assert (failure.status, failure.kind, failure.message) == (status, kind, message)


@given(st.integers(400, 599), st.binary(max_size=40) | drawn.json_values.map(msgspec.json.encode))
def test_no_error_body_is_too_odd(status: int, body: bytes) -> None:
    failure = DIALECT.parse_error(status, body)

    assert failure.status == status
    assert json.loads(DIALECT.render_error(failure, "req_1"))["error"]["request_id"] == "req_1"


IN_BAND = [
    (b'{"type":"error","code":"rate_limit_exceeded","message":"Slow","param":null,"sequence_number":1}', "rate_limit", 429),
    (b'{"type":"error","error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"Slow"}}', "context_length", 400),
    (b'{"error":{"message":"Slow","code":"server_error"}}', "server", 500),
    (b'{"type":"response.failed","response":{"id":"r","error":{"code":"server_is_overloaded","message":"Slow"}}}', "overloaded", 503),
]


@pytest.mark.parametrize(("data", "kind", "status"), IN_BAND)
def test_an_error_in_a_stream_is_a_failure_and_nothing_follows(data: bytes, kind: str, status: int) -> None:
    tail = b'data: {"type":"response.completed","response":{"id":"r","output":[]}}\n\n'
    events = read([b'data: {"type":"response.created","response":{"id":"r"}}\n\n', b"data: " + data + b"\n\n", tail])

    assert isinstance(events[-1], Failed)
    failure = events[-1].failure
    assert (failure.kind, failure.status, failure.message) == (kind, status, "Slow")
    assert not any(isinstance(event, Done) for event in events)


def test_a_failed_response_tells_what_it_used_first() -> None:
    usage = {"input_tokens": 5, "output_tokens": 1}
    body = {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}, "usage": usage}}
    events = read([b"data: " + json.dumps(body).encode() + b"\n\n"])

    assert [type(event) for event in events] == [Used, Failed]
    assert (events[0].usage["input"], events[0].usage["output"]) == (5, 1)


def test_a_failure_ends_a_stream_once_and_for_all() -> None:
    failure = Failed(Failure(status=503, kind="overloaded", message="Too many"))
    stream = written([Begin("x"), Open(0, 0, Text(text="")), Delta(0, 0, "Hi"), failure, Delta(0, 0, "?"), Done()])

    told = payloads(stream)
    assert told[-1]["type"] == "response.failed"
    assert told[-1]["response"]["output"][0]["content"][0]["text"] == "Hi"
    assert told[-1]["response"]["error"] == {"code": "server_is_overloaded", "message": "Too many"}
    assert [event.type for event in sdk_stream(stream)][-1] == "response.failed"
    with pytest.raises(Unreadable, match="Too many"):
        DIALECT.parse_answer(told[-1]["response"])


def test_a_failure_before_anything_else_is_told_too() -> None:
    stream = written([Failed(Failure(status=500, kind="server", message="Gone"))])

    assert [event["type"] for event in payloads(stream)] == ["response.created", "response.in_progress", "response.failed"]


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"type":"response.output_text.delta","delta":{}}',
        b'{"type":"response.output_text.delta","output_index":"x","delta":"a"}',
        b'{"type":"response.completed"}',
        b'{"type":"response.output_item.done","item":{"type":"function_call"}}',
    ],
)
def test_an_event_that_is_not_of_the_dialect_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read([b"data: " + data + b"\n\n"])


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"output": {}},
        {"output": ["x"]},
        {"output": [{"type": "message", "content": [{"type": "output_text"}]}]},
        {"output": [], "status": "failed"},
        {"output": [], "error": {"code": "server_error", "message": "x"}},
    ],
)
def test_a_body_that_is_no_answer_is_unreadable(body: Json) -> None:
    with pytest.raises(Unreadable):
        DIALECT.parse_answer(body)


KINDS = st.sampled_from(["message", "output_text", "refusal", "function_call", "reasoning", "url_citation", "completed", "incomplete", "x"])
MEMBERS = st.sampled_from(
    ["type", "output", "content", "text", "status", "error", "usage", "annotations", "summary", "item", "part", "response", "delta", "id"]
)
answerlike = st.recursive(
    drawn.json_leaves | KINDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=5), max_leaves=20
)
told_kinds = st.sampled_from([
    "response.created", "response.output_item.added", "response.output_item.done", "response.content_part.added",
    "response.output_text.delta", "response.output_text.annotation.added", "response.completed", "response.failed", "error",
    "response.reasoning_summary_text.delta", "response.function_call_arguments.delta",
])  # fmt: skip


@settings(max_examples=200)
@given(answerlike)
def test_no_answer_does_more_than_be_unreadable(body: Json) -> None:
    try:
        answer = DIALECT.parse_answer(body)
    except Unreadable:
        return
    DIALECT.render_answer(answer, asked())


@settings(max_examples=200)
@given(st.lists(st.tuples(told_kinds, answerlike), max_size=4))
def test_no_stream_does_more_than_be_unreadable(told: list[tuple[str, Json]]) -> None:
    lines = [json.dumps({**(body if isinstance(body, dict) else {"item": body}), "type": kind}) for kind, body in told]
    try:
        events = read([b"data: " + line.encode() + b"\n\n" for line in lines])
    except Unreadable:
        return
    fold(events)
    payloads(written(events))
