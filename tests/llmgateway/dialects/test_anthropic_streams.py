"""Streams of Messages: read in any split, written one block at a time, for the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator

import anthropic
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.events import (
    Beat,
    Begin,
    Close,
    Delta,
    Done,
    Event,
    Failed,
    Open,
    Stop,
    fold,
    unfold,
)
from llmgateway.proxy.conversation.parts import (
    Json,
    Special,
    Text,
    ToolCall,
    same,
)
from llmgateway.proxy.dialects.anthropic_messages.codec import DIALECT
from llmgateway.proxy.dialects.dialect import Unreadable
from tests.fakes.cassettes import Cassette, cases, select
from tests.fakes.recorded_usage import recorded_usage
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.anthropic_kit import (
    as_the_client_streams,
    asked,
    by_ten,
    compact,
    folded,
    one_block_at_a_time,
    payloads,
    read,
    whole,
    write,
)

STREAMS = [one for one in select(("anthropic",), ("messages",)) if one.streamed]
ANSWERS = [one for one in select(("anthropic",), ("messages",)) if one.status == 200 and not one.streamed]


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """At every kind of place: inside UTF-8, between CR and LF, inside JSON, between events; and byte by byte."""
    inside = [place for place in range(1, len(data)) if 0x80 <= data[place] < 0xC0][:2]
    between = [data.find(b"\r\n") + 1, data.find(b"\n\n") + 1, data.find(b"\n\n") + 2, data.find(b'":') + 1]
    for place in (*inside, *between, 1, len(data) - 1):
        yield [data[:place], data[place:]]
    yield list(by_ten(data, 7))
    yield list(by_ten(data, 1))


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("cassette", cases(STREAMS))
def test_a_recorded_stream_is_the_same_answer_wherever_it_is_cut(cassette: Cassette, ending: bytes) -> None:
    data = cassette.answer.replace(b"\n", ending)
    told = folded(read([data]))

    assert told.done
    assert {bucket: count for bucket, count in told.answer.usage.items() if count} == recorded_usage(cassette)
    assert told.answer.candidates[0].stop == "end"
    for pieces in cuts(data):
        assert same(folded(read(pieces)).answer, told.answer)


@pytest.mark.parametrize("cassette", cases(STREAMS))
def test_a_recorded_stream_is_written_again(cassette: Cassette) -> None:
    events = read([cassette.answer])
    stream = write(events)

    assert same(fold(read([stream])), msgspec.structs.replace(fold(events), model=asked().model))
    ours, theirs = as_the_client_streams(stream), as_the_client_streams(cassette.answer)
    assert ours.content == theirs.content
    assert (ours.id, ours.model, ours.stop_reason) == (theirs.id, asked().model, theirs.stop_reason)
    assert (ours.usage.input_tokens, ours.usage.output_tokens) == (theirs.usage.input_tokens, theirs.usage.output_tokens)


@pytest.mark.parametrize("cassette", cases(ANSWERS))
def test_a_recorded_answer_told_as_a_stream_is_the_same_answer(cassette: Cassette) -> None:
    answer = DIALECT.parse_answer(whole(cassette))
    stream = write(unfold(answer))

    again = fold(read([stream]))
    assert same(compact(again).candidates, compact(answer).candidates)
    assert again.usage == answer.usage
    final = as_the_client_streams(stream)
    assert [block.type for block in final.content] == [block["type"] for block in whole(cassette)["content"]]
    assert final.usage.input_tokens == answer.usage["input"]


spoken = st.one_of(
    drawn.plain_texts(),
    drawn.tool_calls(),
    drawn.reasoning(),
    drawn.open_reasoning,
    st.builds(Text, text=drawn.texts, signature=drawn.signatures()),
    st.builds(ToolCall, id=drawn.ids, name=drawn.names, arguments=drawn.arguments, signature=drawn.signatures()),
)


@settings(max_examples=80)
@given(drawn.streams(drawn.answers(part=spoken)))
def test_any_stream_is_one_block_at_a_time_and_is_read_back_as_it_was(events: list[Event]) -> None:
    stream = write(events)

    one_block_at_a_time(payloads(stream))
    again = folded(read([stream]))
    assert again.done
    expected = fold(events)
    assert same(again.answer.candidates, expected.candidates)
    assert again.answer.usage == expected.usage


@settings(max_examples=25)
@given(drawn.streams(drawn.answers(part=spoken)))
def test_the_official_client_reads_any_stream(events: list[Event]) -> None:
    expected = fold(events)
    final = as_the_client_streams(write(events))

    texts = [part.text for part in expected.candidates[0].parts if isinstance(part, Text)]
    calls = [(part.id, part.name, json.loads(part.arguments)) for part in expected.candidates[0].parts if isinstance(part, ToolCall)]
    assert [block.text for block in final.content if block.type == "text"] == texts
    assert [(block.id, block.name, block.input) for block in final.content if block.type == "tool_use"] == calls
    assert final.usage.output_tokens == expected.usage["output"]
    assert final.usage.cache_read_input_tokens == expected.usage["cached_read"]


def test_a_placeholder_of_the_output_is_not_taken_for_a_count() -> None:
    begin = b'data: {"type":"message_start","message":{"id":"a","model":"m","usage":{"input_tokens":9,"output_tokens":88}}}\n\n'

    assert fold(read([begin])).usage["output"] == 0


def test_an_error_ends_a_stream_and_nothing_follows() -> None:
    failed = Failed(Failure(status=529, kind="overloaded", message="Overloaded"))
    stream = write([Begin("m1", "m"), Open(0, 0, Text(text="")), Delta(0, 0, "Hi"), failed, Close(0, 0), Done(), failed])

    assert payloads(stream)[-1]["error"] == {"type": "overloaded_error", "message": "Overloaded", "code": "overloaded"}
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):
        as_the_client_streams(stream)
    events = read([stream])
    assert events[-1] == Failed(Failure(status=529, kind="overloaded", message="Overloaded", code="overloaded"))
    assert not folded(events).done


def test_a_stream_cut_short_is_not_done_and_one_without_its_last_line_end_is() -> None:
    data = write([Begin("m1", "m"), Open(0, 0, Text(text="")), Delta(0, 0, "Hi"), Close(0, 0), Stop(0, "end"), Done()])

    assert not folded(read([data[: data.index(b"event: message_stop")]])).done
    assert folded(read([data.rstrip(b"\n")])).done
    assert read([]) == []
    assert read([b": comment\n\n"]) == []


def test_pings_are_signs_of_life_and_unknown_events_are_passed_over() -> None:
    data = (
        b'event: ping\ndata: {"type":"ping"}\n\nevent: new\ndata: {"type":"new"}\n\n'
        b'data: {"type":"message_start","message":{"id":"a","model":"m"}}\n\n'
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"new_delta","x":1}}\n\n'
    )

    assert read([data]) == [Beat(), Begin("a", "m"), Open(0, 0, Text(text="")), Close(0, 0)]


def test_a_block_that_nobody_knows_grows_by_what_its_deltas_hold() -> None:
    data = (
        b'data: {"type":"message_start","message":{"id":"a","model":"m"}}\n\n'
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"compaction","content":null}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"All"}}\n\n'
        b'data: {"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":" of it."}}\n\n'
        b'data: {"type":"content_block_stop","index":0}\n\n'
    )

    raw = {"type": "compaction", "content": "All of it."}
    assert same(fold(read([data])).candidates[0].parts, [Special(vendor="anthropic", kind="compaction", raw=raw)])


START = b'data: {"type":"message_start","message":{"id":"a","model":"m"}}\n\n'


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b"data: []\n\n",
        b'data: {"type":5}\n\n',
        b'data: {"type":"message_start"}\n\n',
        b'data: {"type":"message_stop"}\n\n',
        b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
        START + b'data: {"type":"content_block_start","content_block":{"type":"text","text":""}}\n\n',
        START + b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}\n\n',
        START
        + b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
        + b'data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hi"}}\n\n',
        START
        + b'data: {"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"n","input":{}}}\n\n'
        + b'data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}\n\n'
        + b'data: {"type":"content_block_stop","index":0}\n\n',
    ],
)
def test_a_stream_that_is_none_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read([data])


@settings(max_examples=100)
@given(
    st.lists(
        drawn.json_values
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["message_start", "content_block_start", "content_block_delta", "message_delta", "error"])},
            optional={
                "index": st.integers(0, 1),
                "message": drawn.json_values,
                "content_block": drawn.json_values | st.just({"type": "text", "text": "a"}),
                "delta": drawn.json_values | st.just({"type": "text_delta", "text": "a"}),
                "error": drawn.json_values,
                "usage": drawn.json_values,
            },
        ),
        max_size=5,
    )
)
def test_no_stream_breaks_the_reader(events: list[Json]) -> None:
    data = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    try:
        told = read([data])
    except Unreadable:
        return
    fold(told)
