"""Cohere's chat streams, read in any split and written, and what goes wrong in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.proxy.conversation.events import Begin, Delta, Done, Failed, Signed, fold
from llmgateway.proxy.conversation.parts import same
from llmgateway.proxy.dialects.cohere.codec import DIALECT
from llmgateway.proxy.dialects.dialect import Unreadable
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.cohere_samples import (
    ASKED,
    BEGIN,
    PLAN,
    STREAMS,
    USAGE,
    bare,
    content,
    counts,
    ended,
    message,
    one_plan,
    read,
    said_parts,
    stream,
    told,
)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("size", [0, 1, 13])
def test_a_stream_tells_what_the_whole_answer_tells_wherever_it_is_cut(name: str, ending: bytes, size: int) -> None:
    events, whole = STREAMS[name]
    got = read(stream(*events, ending=ending), size)
    expected = DIALECT.parse_answer({**whole, "id": "29f14a5a", "usage": USAGE})

    assert isinstance(got[0], Begin)
    assert isinstance(got[-1], Done)
    assert same(bare(fold(got)), bare(expected))
    assert expected.usage == {"input": 34, "cached_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": 14, "reasoning": 0}
    assert same(bare(fold(read(told(got)))), bare(expected))


def test_log_probabilities_are_told_as_openai_tells_them() -> None:
    probability = {"text": "Hi", "token_ids": [3, 4], "logprobs": [-0.5, -0.25]}
    first, *rest = content("text", 0, "Hi")
    rest[0][1]["logprobs"] = probability
    got = fold(read(stream(BEGIN, first, *rest, ended("COMPLETE"))))
    whole = DIALECT.parse_answer(
        {"message": {"content": [{"type": "text", "text": "Hi"}]}, "finish_reason": "COMPLETE", "logprobs": [probability]}
    )
    expected = {"content": [{"token": "Hi", "logprob": -0.75, "bytes": [72, 105], "top_logprobs": []}]}
    assert got.candidates[0].logprobs == whole.candidates[0].logprobs == expected
    again = fold(read(told(read(stream(BEGIN, first, *rest, ended("COMPLETE"))))))
    assert again.candidates[0].logprobs == expected
    assert DIALECT.parse_answer(DIALECT.render_answer(whole, ASKED)).candidates[0].logprobs == expected


@settings(max_examples=60)
@given(st.data())
def test_any_stream_is_read_back_the_same_though_its_parts_come_interleaved(data: st.DataObject) -> None:
    answer = data.draw(drawn.answers(part=said_parts, usage=counts).map(one_plan))
    events = data.draw(drawn.streams(st.just(answer)))
    assert same(bare(fold(read(told(events)))), bare(answer))


@pytest.mark.parametrize(
    ("event", "status", "kind", "text"),
    [
        (("message-end", {"delta": {"finish_reason": "ERROR", "error": "it broke"}}), 502, "server", "it broke"),
        (("message-end", {"delta": {"finish_reason": "TIMEOUT"}}), 504, "timeout", "The generation ended with TIMEOUT."),
        (("message-end", {"delta": {"finish_reason": "COMPLETE", "error": "late"}}), 502, "server", "late"),
    ],
)
def test_a_failed_generation_is_a_failure_and_never_an_empty_success(event: Any, status: int, kind: str, text: str) -> None:
    got = read(stream(BEGIN, *content("text", 0, "so"), event, ended("COMPLETE")))
    assert isinstance(got[-1], Failed)
    assert (got[-1].failure.status, got[-1].failure.kind, got[-1].failure.message) == (status, kind, text)
    again = read(told(got))
    assert isinstance(again[-1], Failed)
    assert not any(isinstance(event, Done) for event in again)


def test_an_error_object_in_a_stream_is_a_failure() -> None:
    got = read(stream(BEGIN) + b'data: {"id":"1","message":"internal server error"}\n\n')
    assert isinstance(got[-1], Failed)
    assert got[-1].failure.message == "internal server error"


def test_a_stream_that_is_cut_short_is_not_done() -> None:
    events, _ = STREAMS["plan and calls"]
    data = stream(*events)
    assert not any(isinstance(event, Done) for event in read(data[:-40]))
    assert not any(isinstance(event, Done) for event in read(stream(*events[:-1])))
    assert isinstance(read(data.removesuffix(b"\n\n"))[-1], Done)


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        stream(("content-delta", {"index": 0, **message(content={"text": "a"})})),
        stream(("content-start", {"index": 0})),
        stream(("tool-call-start", {"index": 0, **message(tool_calls={"id": "a"})})),
        stream(("tool-call-delta", {"index": 3, **message(tool_calls={"function": {"arguments": "a"}})})),
        stream(("message-end", {})),
    ],
)
def test_what_is_no_stream_of_cohere_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)


def test_a_signature_tells_where_a_thought_goes_back_to() -> None:
    events = read(stream(*STREAMS["plan and calls"][0]))
    signed = [event for event in events if isinstance(event, Signed)]
    assert [event.signature for event in signed] == [PLAN]
    assert not any(isinstance(event, Delta) and event.index == 0 for event in events[events.index(signed[0]) :])
