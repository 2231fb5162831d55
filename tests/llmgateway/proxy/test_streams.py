"""Streams as providers of the dialects really send them: every one is relayed as it came and metered all the same."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import answers
from tests.fakes.dialects import CHAT, MESSAGES, RESPONSES, STREAMED, Call
from tests.fakes.house import House
from tests.fakes.journaled import counted
from tests.fakes.provider import Provider, events, said, streamed

ASKING: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
USAGE = {"prompt_tokens": 20, "completion_tokens": 6, "prompt_tokens_details": {"cached_tokens": 4}}


def chunk(**fields: Any) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": "x"}}], **fields}


def data(body: Any) -> bytes:
    return json.dumps(body).encode()


ODDITIES = {
    "no space after data:": b"data:" + data(chunk()) + b"\n\ndata:" + data(chunk(choices=[], usage=USAGE)) + b"\n\ndata:[DONE]\n\n",
    "CR as line end": b"data: " + data(chunk()) + b"\r\rdata: " + data(chunk(choices=[], usage=USAGE)) + b"\r\rdata: [DONE]\r\r",
    "CRLF as line end": b"data: " + data(chunk()) + b"\r\n\r\ndata: " + data(chunk(choices=[], usage=USAGE)) + b"\r\n\r\n",
    "mixed line ends": b"data: " + data(chunk()) + b"\n\r\ndata: " + data(chunk(choices=[], usage=USAGE)) + b"\r\n\n",
    "comments between": b": keep-alive\n\n" + events(chunk(), done=False) + b": {\n\n" + events(chunk(choices=[], usage=USAGE)),
    "only usage of null choices": events(chunk(), chunk(choices=None, usage=USAGE)),
    "usage on the last chunk of content": events(chunk(), chunk(usage=USAGE)),
    "usage on every chunk, growing": events(
        chunk(usage={**USAGE, "completion_tokens": 1}), chunk(usage={**USAGE, "completion_tokens": 3}), chunk(usage=USAGE)
    ),
    "a first chunk with filter results and no choices": events(
        {"choices": [], "prompt_filter_results": [{"index": 0}]}, chunk(), chunk(choices=[], usage=USAGE)
    ),
    "data over several lines": b'data: {"choices": [],\ndata: "usage": ' + data(USAGE) + b"}\n\ndata: [DONE]\n\n",
    "other fields of the event": b"id: 7\nretry: 100\nevent: x\ndata: " + data(chunk(choices=[], usage=USAGE)) + b"\n\n",
    "a chunk that is no JSON": b"data: {broken\n\n" + events(chunk(choices=[], usage=USAGE)),
    "no blank line at the end": events(chunk(), done=False) + b"data: " + data(chunk(choices=[], usage=USAGE)),
    "blank lines before the first event": b"\n\n\n" + events(chunk(), chunk(choices=[], usage=USAGE)),
    "a byte order mark": b"\xef\xbb\xbf" + events(chunk(), chunk(choices=[], usage=USAGE)),
}


@pytest.mark.parametrize("stream", ODDITIES.values(), ids=ODDITIES.keys())
def test_an_odd_stream_is_relayed_as_it_came_and_metered(stream: bytes, house: House, provider: Provider) -> None:
    provider.then(streamed(stream))

    answer = house.post(CHAT, **ASKING)

    assert answer.content == stream
    event = house.settled()
    assert (event.outcome, event.estimated) == ("ok", False)
    assert counted(event) == answers.USAGE


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, len(b"".join(answers.chat_pieces())) - 1), max_size=12), call=st.sampled_from(STREAMED))
def test_a_stream_cut_anywhere_is_relayed_whole(cuts: set[int], call: Call, house: House, provider: Provider) -> None:
    whole = b"".join(call.pieces)
    marks = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    provider.then(streamed(*(whole[start:stop] for start, stop in itertools.pairwise(marks))))
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if call is CHAT else {}

    assert house.post(call, stream=True, **options).content == whole
    assert counted(house.settled()) == answers.USAGE


def test_hidden_usage_leaves_every_other_byte_alone(house: House, provider: Provider) -> None:
    text = 'a string that says ,\\"usage\\":null stays, {"usage":null} too'
    spaced = b'data: {"id" : "c",  "choices":[{"index":0,"delta":{"content":' + data(text) + b'}}],"usage":null}\n\n'
    provider.then(streamed(b": hi\n\n", spaced, events(chunk(choices=[], usage=USAGE))))

    answer = house.post(CHAT, stream=True)

    assert answer.content == b": hi\n\n" + spaced.replace(b',"usage":null}\n', b"}\n") + b"data: [DONE]\n\n"
    assert counted(house.settled()) == answers.USAGE


def test_other_stream_options_of_the_caller_survive_beside_the_injected_one(house: House, provider: Provider) -> None:
    provider.then(streamed(*CHAT.pieces))
    house.post(CHAT, stream=True, stream_options={"include_usage": False, "include_obfuscation": False})
    assert provider.last.json["stream_options"] == {"include_usage": True, "include_obfuscation": False}


def test_no_option_is_injected_into_a_call_that_does_not_stream(house: House, provider: Provider) -> None:
    provider.then(*[streamed(*CHAT.pieces)] * 2)
    house.post(CHAT)
    assert "stream_options" not in provider.last.json
    house.post(CHAT, stream=False)
    assert "stream_options" not in provider.last.json


FAILURES = {
    "chat": (CHAT, events({"error": {"message": "overloaded", "code": 503}}, done=False)),
    "chat, with usage and without choices": (CHAT, events({"error": {"message": "no"}, "choices": [], "usage": USAGE})),
    "responses, failed": (
        RESPONSES,
        b'event: response.failed\ndata: {"type": "response.failed", "response": {"error": {"code": "server_error"}, "usage": null}}\n\n',
    ),
    "responses, error": (RESPONSES, b'event: error\ndata: {"type": "error", "code": "x", "message": "no", "sequence_number": 3}\n\n'),
    "messages": (MESSAGES, b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n'),
}


@pytest.mark.parametrize(("call", "failure"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_told_inside_a_stream_is_relayed_and_counts_as_an_error(
    call: Call, failure: bytes, house: House, provider: Provider
) -> None:
    provider.then(streamed(call.pieces[0], failure))

    answer = house.post(call, stream=True)

    assert answer.status_code == 200
    assert answer.content.endswith(failure.removesuffix(b"data: [DONE]\n\n")) or answer.content.endswith(failure)
    assert house.settled().outcome == "error"


def test_a_word_like_error_in_the_text_is_no_failure(house: House, provider: Provider) -> None:
    choice = {"index": 0, "delta": {"content": '"error": "type": "error"'}}
    provider.then(streamed(events(chunk(choices=[choice], error=None), chunk(choices=[], usage=USAGE))))
    house.post(CHAT, **ASKING)
    assert house.settled().outcome == "ok"


def test_an_incomplete_response_is_metered_like_a_complete_one(house: House, provider: Provider) -> None:
    last = {"type": "response.incomplete", "response": {"usage": answers.RESPONSE_USAGE}}
    provider.then(streamed(RESPONSES.pieces[0], b"event: response.incomplete\ndata: " + data(last) + b"\n\n"))
    house.post(RESPONSES, stream=True)
    event = house.settled()
    assert (event.outcome, counted(event)) == ("ok", answers.USAGE)


def test_one_event_of_endless_length_ends_the_stream_with_an_error(house: House, provider: Provider) -> None:
    provider.then(streamed(CHAT.pieces[0], b"data: {", *[b"x" * 1_000_000] * 9))
    answer = house.post(CHAT, stream=True)
    assert b'"error"' in answer.content
    assert len(answer.content) < 10_000
    assert house.settled().outcome == "error"


def test_an_answer_that_streams_though_nobody_asked_is_relayed_as_a_stream(house: House, provider: Provider) -> None:
    provider.then(streamed(*CHAT.pieces))
    answer = house.post(CHAT)
    assert answer.content == b"".join(CHAT.pieces)
    assert counted(house.settled()) == answers.USAGE


def test_an_answer_in_one_piece_to_who_asked_for_a_stream_is_relayed_as_it_is(house: House, provider: Provider) -> None:
    provider.then(said(CHAT.answer))
    answer = house.post(CHAT, stream=True)
    assert answer.json() == CHAT.answer
    assert counted(house.settled()) == answers.USAGE


def test_message_counts_of_the_end_replace_those_of_the_start(house: House, provider: Provider) -> None:
    split = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}
    begun = {"input_tokens": 10, "cache_creation_input_tokens": 7, "cache_creation": split, "output_tokens": 1}
    ended = {"input_tokens": 25, "cache_read_input_tokens": 2, "output_tokens": 9}
    bodies: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"usage": begun}},
        {"type": "message_delta", "delta": {}, "usage": ended},
        {"type": "message_stop"},
    ]
    pieces = [f"event: {body['type']}\n".encode() + b"data: " + data(body) + b"\n\n" for body in bodies]
    provider.then(streamed(*pieces))

    assert house.post(MESSAGES, stream=True).content == b"".join(pieces)
    assert counted(house.settled()) == {"input": 25, "cached_read": 2, "cache_write_5m": 3, "cache_write_1h": 4, "output": 9}
