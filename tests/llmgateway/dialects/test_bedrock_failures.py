"""What goes wrong with Converse: exceptions in streams, streams that are none, errors of any shape."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.proxy.conversation.answer import Answer, Failure
from llmgateway.proxy.conversation.events import Done, Event, Failed
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Reasoning, Signature, same
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.bedrock.codec import DIALECT
from llmgateway.proxy.dialects.bedrock.eventstream import Decoder, event, exception
from llmgateway.proxy.dialects.dialect import Asked, Target, Unreadable
from llmgateway.proxy.providers import VENDORS
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.bedrock_samples import ANSWERS, BEGIN, MODEL, delta, stop, stream

FACTS = next(facts for facts in VENDORS if facts.slug == "aws")
TARGET = Target("bedrock", MODEL, FACTS)
ASKED = Asked(Request(), {}, "claude", "req_1", 1_700_000_000)


def losses() -> Losses:
    return Losses(TARGET.label)


def read(data: bytes, size: int = 0) -> list[Event]:
    reader = DIALECT.reader()
    pieces = [data[place : place + size] for place in range(0, len(data), size)] if size else [data]
    return [event for piece in pieces for event in reader.feed(piece)] + reader.finish()


def told(events: list[Event]) -> bytes:
    writer = DIALECT.writer(ASKED)
    return b"".join(writer.write(event) for event in events)


def plain(answer: Answer) -> Answer:
    """Without what a stream does not tell and a writer does not make."""
    return msgspec.structs.replace(answer, extra={}, id="", model="", created=0, service_tier="")


@pytest.mark.parametrize(
    ("kind", "status", "meaning"),
    [
        ("throttlingException", 429, "rate_limit"),
        ("modelStreamErrorException", 424, "server"),
        ("validationException", 400, "invalid"),
        ("internalServerException", 500, "server"),
        ("serviceUnavailableException", 503, "overloaded"),
        ("somethingNewException", 500, "server"),
    ],
)
def test_an_exception_in_the_stream_is_a_failure_and_nothing_follows(kind: str, status: int, meaning: str) -> None:
    data = (
        stream(BEGIN, delta(0, text="so"))
        + exception(kind, b'{"message":"no more"}')
        + stream(stop(0), ("messageStop", {"stopReason": "end_turn"}))
    )
    events = read(data)
    assert isinstance(events[-1], Failed)
    failure = events[-1].failure
    assert (failure.status, failure.kind, failure.message) == (status, meaning, "no more")
    back = read(told(events))[-1]
    assert isinstance(back, Failed)
    assert back.failure.message == "no more"


def test_a_stream_that_is_cut_short_is_not_done() -> None:
    _, data = ANSWERS["text"]
    whole_events = read(data)
    assert not any(isinstance(event, Done) for event in read(data[:-1])), "usage was cut off"
    messages = len(Decoder().feed(data))
    assert messages == 7
    before_metadata = stream(BEGIN, delta(0, text="a"), stop(0), ("messageStop", {"stopReason": "end_turn"}))
    assert isinstance(read(before_metadata)[-1], Done)
    assert not any(isinstance(event, Done) for event in read(stream(BEGIN, delta(0, text="a"), stop(0))))
    assert sum(isinstance(event, Done) for event in whole_events) == 1


@pytest.mark.parametrize(
    "data",
    [
        event("messageStop", b"{"),
        event("messageStop", b"[]"),
        event("messageStop", b"{}"),
        event("contentBlockDelta", b'{"delta":{"text":"a"}}'),
        event("contentBlockDelta", b'{"contentBlockIndex":0}'),
        event("contentBlockDelta", b'{"delta":{"text":1},"contentBlockIndex":0}'),
        event("contentBlockDelta", b'{"delta":{"toolUse":{"input":"a"}},"contentBlockIndex":0}'),
        event("contentBlockStart", b'{"start":{"toolUse":{}},"contentBlockIndex":0}'),
        b'{"message":"no event stream at all"}',
        b"data: {}\n\n" * 4,
    ],
)
def test_what_is_no_stream_of_converse_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)


def test_events_that_nobody_knows_are_ignored() -> None:
    _, data = ANSWERS["text"]
    unknown = event("weather", b'{"sunny":true}') + event("initial-response", b"") + event("weather", b"no JSON")
    assert len(read(unknown + data)) == len(read(data))
    empty = stream(("contentBlockStart", {"contentBlockIndex": 0}), ("contentBlockStart", {"start": {}, "contentBlockIndex": 0}))
    assert read(empty + stream(delta(0, weather={"sunny": True}))) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"output": {}},
        {"output": {"message": []}, "stopReason": "end_turn"},
        {"output": {"message": {"content": []}}},
        {"message": "error"},
    ],
)
def test_what_is_no_answer_is_unreadable(body: Any) -> None:
    with pytest.raises(Unreadable):
        DIALECT.parse_answer(body)


@settings(max_examples=40)
@given(drawn.json_values)
def test_no_json_makes_reading_an_answer_crash(value: Any) -> None:
    for body in (value, {"output": value}, {"output": {"message": {"content": [value]}}, "stopReason": "end_turn", "usage": value}):
        try:
            DIALECT.render_answer(DIALECT.parse_answer(body), ASKED)
        except Unreadable:
            continue
    for kind in ("messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"):
        try:
            read(event(kind, msgspec.json.encode(value)))
        except Unreadable:
            continue


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, b'{"message":"Input is too long for requested model."}', "context_length", "Input is too long for requested model."),
        (400, b'{"__type":"com.amazon.coral.service#ValidationException","message":"bad"}', "invalid", "bad"),
        (
            403,
            b'{"Message":"User is not authorized to perform bedrock:InvokeModel"}',
            "permission",
            "User is not authorized to perform bedrock:InvokeModel",
        ),
        (
            403,
            b'{"message":"The security token included in the request is invalid."}',
            "authentication",
            "The security token included in the request is invalid.",
        ),
        (429, b'{"message":"Too many requests, please wait."}', "rate_limit", "Too many requests, please wait."),
        (429, b'{"__type":"ModelNotReadyException","message":"warming up"}', "overloaded", "warming up"),
        (400, b'{"__type":"ServiceQuotaExceededException","message":"quota"}', "quota", "quota"),
        (404, b"<html>no such page</html>", "not_found", "The upstream answered 404 Not Found."),
        (502, b"", "server", "The upstream answered 502 Bad Gateway."),
        (599, b"[1]", "server", "The upstream answered 599."),
        (503, b'{"message":5}', "overloaded", "The upstream answered 503 Service Unavailable."),
    ],
)
def test_an_error_of_any_shape_is_told(status: int, body: bytes, kind: str, message: str) -> None:
    failure = DIALECT.parse_error(status, body)
    assert (failure.status, failure.kind, failure.message) == (status, kind, message)


@given(st.integers(400, 599), st.binary(max_size=60) | drawn.json_values.map(msgspec.json.encode))
def test_reading_an_error_never_fails(status: int, body: bytes) -> None:
    failure = DIALECT.parse_error(status, body)
    assert failure.message
    again = DIALECT.parse_error(status, DIALECT.render_error(failure, "req_1"))
    assert (again.status, again.message) == (failure.status, failure.message)


def test_an_error_carries_its_code_and_the_id_of_the_request() -> None:
    body = msgspec.json.decode(
        DIALECT.render_error(Failure(status=429, kind="rate_limit", message="slow down", code="rate_limit_exceeded"), "req_9")
    )
    assert body == {"message": "slow down", "__type": "ThrottlingException", "code": "rate_limit_exceeded", "request_id": "req_9"}


def test_redacted_reasoning_that_is_no_wrapped_value_is_bedrocks_own() -> None:
    hidden = base64.b64encode(b"\xff\xfe").decode()
    body = {**ANSWERS["text"][0], "output": {"message": {"content": [{"reasoningContent": {"redactedContent": hidden}}]}}}
    assert same(DIALECT.parse_answer(body).candidates[0].parts, [Reasoning(redacted=True, signature=Signature("bedrock", hidden))])
