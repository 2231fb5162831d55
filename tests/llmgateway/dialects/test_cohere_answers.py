"""Cohere's chat answers and errors: the recorded ones and what hypothesis finds."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH, SEQUENCE, TOOL, Answer, Failure
from llmgateway.proxy.conversation.events import fold, unfold
from llmgateway.proxy.conversation.parts import Citation, Reasoning, Text, ToolCall, same
from llmgateway.proxy.dialects.cohere.codec import DIALECT
from llmgateway.proxy.dialects.dialect import Unreadable
from tests.fakes.cassettes import Cassette, cases, select
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.cohere_samples import (
    ASKED,
    PLAN,
    STREAMS,
    bare,
    counts,
    one_plan,
    ordered,
    read,
    said_parts,
    stream,
    told,
)

CHATS = cases(select(["cohere"], ["chat"]))


@pytest.mark.parametrize("cassette", CHATS)
def test_a_recorded_answer_is_written_as_it_was_read_and_counts_what_is_billed(cassette: Cassette) -> None:
    body = json.loads(cassette.answer)
    answer = DIALECT.parse_answer(body)

    written = json.loads(msgspec.json.encode(DIALECT.render_answer(answer, ASKED)))

    billed = body["usage"]["billed_units"]
    assert (answer.usage["input"], answer.usage["output"]) == (billed["input_tokens"], billed["output_tokens"])
    assert answer.usage["cached_read"] == 0
    assert {**written, "usage": None} == {**body, "usage": None}
    assert written["usage"] == {"billed_units": billed}
    assert answer.extra == {}
    assert same(DIALECT.parse_answer(written), answer)
    assert same(bare(fold(read(told(unfold(answer))))), bare(answer))


def test_the_corpus_tells_plans_calls_citations_and_stops() -> None:
    recorded = [DIALECT.parse_answer(json.loads(case.values[0].answer)) for case in CHATS if case.values[0] is not None]
    if not recorded:
        pytest.skip("no recorded exchanges")
    said = [answer.candidates[0] for answer in recorded]
    assert {candidate.stop for candidate in said} == {END, TOOL, SEQUENCE}
    planned = [candidate for candidate in said if candidate.stop == TOOL]
    assert all(isinstance(candidate.parts[0], Reasoning) and candidate.parts[0].signature == PLAN for candidate in planned)
    assert all(isinstance(candidate.parts[1], ToolCall) for candidate in planned)
    cited = [part for candidate in said for part in candidate.parts if isinstance(part, Text) and part.citations]
    assert [(c.document_id, c.quote, c.start, c.end) for c in cited[0].citations] == [
        ("get_weather_9gpb31r7h7mj:0", "Sunny, 22C in Paris", 34, 39),
        ("get_weather_9gpb31r7h7mj:0", "Sunny, 22C in Paris", 44, 48),
    ]


@settings(max_examples=60)
@given(drawn.answers(part=said_parts, usage=counts).map(one_plan))
def test_an_answer_is_read_back_the_same(answer: Answer) -> None:
    body = msgspec.json.decode(msgspec.json.encode(DIALECT.render_answer(answer, ASKED)))
    expected = bare(answer)
    expected.candidates[0].parts = ordered(expected.candidates[0].parts)
    assert same(bare(DIALECT.parse_answer(body)), expected)


def test_a_citation_of_another_vendor_is_told_as_a_document() -> None:
    found = Text(
        text="see here", citations=[Citation("url", url="https://example.com", title="t", quote="q", start=0, end=3, vendor="anthropic")]
    )
    answer = Answer(candidates=[msgspec.structs.replace(DIALECT.parse_answer(STREAMS["thinking"][1]).candidates[0], parts=[found])])
    back = DIALECT.parse_answer(DIALECT.render_answer(answer, ASKED)).candidates[0].parts[0]
    assert isinstance(back, Text)
    cited = back.citations[0]
    assert (cited.url, cited.title, cited.quote, cited.start, cited.end) == ("https://example.com", "t", "q", 0, 3)


@pytest.mark.parametrize("reason", ["ERROR", "TIMEOUT"])
def test_a_whole_answer_whose_generation_failed_is_unreadable(reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        DIALECT.parse_answer({"message": {"role": "assistant"}, "finish_reason": reason})


@pytest.mark.parametrize(
    "body", [{}, [], {"finish_reason": "COMPLETE"}, {"message": {}}, {"message": {"content": [{}]}, "finish_reason": "COMPLETE"}]
)
def test_what_is_no_answer_is_unreadable(body: Any) -> None:
    with pytest.raises(Unreadable):
        DIALECT.parse_answer(body)


@settings(max_examples=40)
@given(drawn.json_values)
def test_no_json_makes_reading_an_answer_crash(value: Any) -> None:
    whole = {
        "message": {"content": value, "citations": value, "tool_calls": value},
        "finish_reason": "COMPLETE",
        "usage": value,
        "logprobs": value,
    }
    for body in (value, whole, {"message": {"content": [value]}, "finish_reason": "COMPLETE", "usage": value}):
        try:
            DIALECT.render_answer(DIALECT.parse_answer(body), ASKED)
        except Unreadable:
            continue
    kinds = ("content-start", "content-delta", "tool-plan-delta", "tool-call-start", "tool-call-delta", "citation-start", "message-end")
    for kind in kinds:
        try:
            read(stream((kind, {"index": 0, "delta": {"message": value}})) + stream((kind, {"index": 0, "delta": value})))
        except Unreadable:
            continue


@pytest.mark.parametrize(
    ("reason", "stop", "native"),
    [
        ("COMPLETE", END, ""),
        ("MAX_TOKENS", LENGTH, ""),
        ("ERROR_LIMIT", LENGTH, "ERROR_LIMIT"),
        ("ERROR_TOXIC", FILTER, ""),
        ("NEW", END, "NEW"),
    ],
)
def test_why_a_model_stopped_is_told(reason: str, stop: str, native: str) -> None:
    said = DIALECT.parse_answer({"message": {"content": []}, "finish_reason": reason}).candidates[0]
    assert (said.stop, said.native_stop) == (stop, native)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"tokens": {"input_tokens": 100, "output_tokens": 5}, "cached_tokens": 80}, {"input": 20, "cached_read": 80, "output": 5}),
        ({"billed_units": {}, "tokens": {"input_tokens": 10, "output_tokens": 5}}, {"input": 10, "cached_read": 0, "output": 5}),
        ({"billed_units": {"input_tokens": 3, "output_tokens": 4, "search_units": 2}}, {"input": 3, "output": 4, "requests": 2}),
    ],
)
def test_tokens_count_only_where_nothing_is_billed(usage: Any, expected: dict[str, int]) -> None:
    found = DIALECT.parse_answer({"message": {}, "finish_reason": "COMPLETE", "usage": usage}).usage
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("usage", [None, 5, {}, {"billed_units": {"input_tokens": -1}}, {"billed_units": {"input_tokens": "a"}}])
def test_counts_that_can_not_be_true_are_not_believed(usage: Any) -> None:
    assert DIALECT.parse_answer({"message": {}, "finish_reason": "COMPLETE", "usage": usage}).usage == {}


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (400, b'{"id":"1","message":"too many tokens: size limit exceeded"}', "context_length", "too many tokens: size limit exceeded"),
        (401, b'{"message":"invalid api token"}', "authentication", "invalid api token"),
        (404, b'{"message":"model not found"}', "not_found", "model not found"),
        (422, b'{"message":"bad"}', "invalid", "bad"),
        (
            429,
            b'{"message":"You are using a Trial key, which is limited to 20 calls"}',
            "quota",
            "You are using a Trial key, which is limited to 20 calls",
        ),
        (429, b'{"message":"slow down"}', "rate_limit", "slow down"),
        (498, b'{"message":"denied token"}', "content_filter", "denied token"),
        (503, b"<html>", "overloaded", "The upstream answered 503 Service Unavailable."),
        (599, b"", "server", "The upstream answered 599."),
        (418, b"[]", "invalid", "The upstream answered 418 I'm a Teapot."),
    ],
)
def test_an_error_of_any_shape_is_told(status: int, body: bytes, kind: str, text: str) -> None:
    failure = DIALECT.parse_error(status, body)
    assert (failure.status, failure.kind, failure.message) == (status, kind, text)


@given(st.integers(400, 599), st.binary(max_size=60) | drawn.json_values.map(msgspec.json.encode))
def test_reading_an_error_never_fails(status: int, body: bytes) -> None:
    failure = DIALECT.parse_error(status, body)
    assert DIALECT.parse_error(status, DIALECT.render_error(failure, "req_1")) == failure


def test_an_error_carries_its_code_and_the_id_of_the_request() -> None:
    body = json.loads(
        DIALECT.render_error(Failure(status=429, kind="rate_limit", message="slow", code="rate_limit_exceeded", param="p"), "req_9")
    )
    assert body == {"id": "req_9", "message": "slow", "code": "rate_limit_exceeded", "param": "p"}
