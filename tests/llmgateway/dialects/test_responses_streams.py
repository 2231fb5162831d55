"""Streams of OpenAI Responses, read in any split and written again; the official client judges what is written."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.responses import Response

from llmgateway.proxy.conversation.answer import END, TOOL, Answer, Candidate
from llmgateway.proxy.conversation.events import (
    Beat,
    Begin,
    Close,
    Delta,
    Done,
    Event,
    Logprobs,
    Open,
    Signed,
    Stop,
    fold,
    unfold,
)
from llmgateway.proxy.conversation.parts import Reasoning, Refused, Signature, Special, Text, ToolCall, same
from llmgateway.proxy.dialects.openai_responses.codec import DIALECT
from tests.fakes.cassettes import Cassette, cases, select
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.responses_kit import (
    asked,
    comparable,
    ended,
    payloads,
    read,
    refolded,
    said,
    sdk_response,
    written,
)

STREAMS = [cassette for cassette in select(("openai", "deepseek", "openrouter"), ("responses",)) if cassette.streamed]


def _known(answer: Answer) -> Answer:
    """Without what a vendor tells differently at the end of a stream: ids, reasoning encrypted anew, rounded figures, and the
    place of its own items that never ended."""
    candidates = []
    for candidate in answer.candidates:
        parts = [_bare(part) for part in candidate.parts]
        parts.sort(key=lambda part: isinstance(part, Special))
        candidates.append(msgspec.structs.replace(candidate, parts=parts, logprobs=None))
    return msgspec.structs.replace(said(answer), candidates=candidates)


def _bare(part: Any) -> Any:
    if isinstance(part, Reasoning):
        return msgspec.structs.replace(part, id="", signature=Signature("", "") if part.signature else None)
    return part


@pytest.mark.parametrize("cassette", cases(STREAMS))
def test_a_recorded_stream_is_read_alike_however_its_bytes_are_cut(cassette: Cassette) -> None:
    whole = read([cassette.answer])
    data = cassette.answer
    places = [place for place in range(1, len(data)) if data[place] >= 0x80 or data[place - 1 : place + 1] in (b"\n\n", b"\r\n")]
    cuts = [0, *places, len(data)]

    assert read(data[start:stop] for start, stop in itertools.pairwise(cuts)) == whole
    assert read(data[place : place + 7] for place in range(0, len(data), 7)) == whole
    if len(data) < 40_000:
        assert read(bytes([byte]) for byte in data) == whole
    assert next(type(event) for event in whole if not isinstance(event, Beat)) is Begin
    assert isinstance(whole[-1], Done)


@pytest.mark.parametrize("cassette", cases(STREAMS))
def test_a_recorded_stream_with_other_line_ends_says_the_same(cassette: Cassette) -> None:
    crlf = cassette.answer.replace(b"\n", b"\r\n")

    assert read([crlf[:101], crlf[101:]]) == read([cassette.answer])


@pytest.mark.parametrize("cassette", cases(STREAMS))
def test_a_recorded_stream_tells_the_answer_that_it_ends_with(cassette: Cassette) -> None:
    lines = [line[5:] for line in cassette.answer.splitlines() if line.startswith(b"data:") and b"response.completed" in line]

    assert same(_known(fold(read([cassette.answer]))), _known(DIALECT.parse_answer(json.loads(lines[-1])["response"])))


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of the client's own types for its vendor's own tools
@pytest.mark.parametrize("cassette", cases(STREAMS))
def test_a_recorded_stream_is_written_as_it_was_read_and_the_client_takes_it(cassette: Cassette) -> None:
    events = read([cassette.answer])
    call = asked(cassette.body)
    stream = written(events, call)

    assert same(refolded(stream), said(fold(events)))
    final = sdk_response(stream)
    whole = DIALECT.render_answer(fold(events), call)
    assert ended(stream) == whole
    assert final.output_text == Response.construct(**whole).output_text
    assert final.usage.model_dump(exclude_none=True) == whole["usage"]


everything = (
    drawn.plain_texts(cited=True)
    | drawn.tool_calls(drawn.loose_arguments)
    | st.builds(ToolCall, id=drawn.ids, name=drawn.names, arguments=drawn.texts, custom=st.just(True))
    | drawn.refusals
    | st.builds(Reasoning, text=drawn.texts, summary=st.lists(drawn.texts, max_size=2), id=st.just("rs_1"))
    | st.builds(Reasoning, signature=drawn.signatures(["openai-responses"]), id=st.just("rs_2"))
)
counts = drawn.usages().map(
    lambda usage: usage | {"cache_write_5m": usage["cache_write_5m"] + usage["cache_write_1h"], "cache_write_1h": 0}
)


def _believed(answer: Answer) -> bool:
    """Counts of more than 1e9 are not believed."""
    usage = answer.usage
    return sum(usage[name] for name in ("input", "cached_read", "cache_write_5m")) <= 10**9


@settings(max_examples=80)
@given(drawn.answers(part=everything, usage=counts).filter(_believed))
def test_any_answer_is_told_whole_and_streamed_alike(answer: Answer) -> None:
    call = asked()
    body = DIALECT.render_answer(answer, call)
    stream = written(unfold(answer), call)

    assert ended(stream) == body
    Response.model_validate(body)
    told = comparable(refolded(stream))
    assert same(told, comparable(answer))
    assert same(comparable(DIALECT.parse_answer(body)), comparable(answer))


@settings(max_examples=60)
@given(drawn.streams(drawn.answers(part=everything, usage=counts).filter(_believed)))
def test_parts_that_come_side_by_side_are_told_one_after_the_other(events: list[Event]) -> None:
    stream = written(events)

    opened = [event["output_index"] for event in payloads(stream) if "output_index" in event]
    assert opened == sorted(opened)
    assert same(comparable(refolded(stream)), comparable(fold(events)))
    final = sdk_response(stream)
    assert final.output_text == "".join(part.text for part in fold(events).candidates[0].parts if isinstance(part, Text))


def test_a_stream_has_the_events_of_the_dialect_in_their_order() -> None:
    parts = [
        Reasoning(text="Raw", summary=["One", "Two"]),
        Text(text="Hi"),
        Refused(text="No"),
        ToolCall(id="call_1", name="f", arguments="{}"),
        ToolCall(id="call_2", name="patch", arguments="x", custom=True),
    ]
    answer = Answer(candidates=[Candidate(parts=parts, stop=TOOL)], usage={"input": 3, "output": 4, "reasoning": 1})
    told = payloads(written(unfold(answer)))

    assert [event["type"].removeprefix("response.") for event in told] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]
    assert told[-1]["response"]["usage"]["total_tokens"] == 7
    assert len({item["id"] for item in told[-1]["response"]["output"]}) == 4


def test_log_probabilities_go_with_their_text() -> None:
    entry = {"token": "Hi", "bytes": [72, 105], "logprob": -0.5, "top_logprobs": []}
    answer = Answer(candidates=[Candidate(parts=[Text(text="Hi")], stop=END, logprobs={"content": [entry]})])
    body = DIALECT.render_answer(answer, asked())

    assert body["output"][0]["content"][0]["logprobs"] == [entry]
    assert DIALECT.parse_answer(body).candidates[0].logprobs == {"content": [entry]}
    stream = written([Begin(), Open(0, 0, Text(text="")), Logprobs(0, {"content": [entry]}), Delta(0, 0, "Hi"), Close(0, 0), Done()])
    deltas = [event["logprobs"] for event in payloads(stream) if event["type"].endswith("text.delta")]
    assert deltas == [[entry]]
    assert refolded(stream).candidates[0].logprobs == {"content": [entry]}


def test_a_stream_that_is_cut_short_has_no_end() -> None:
    events = unfold(Answer(candidates=[Candidate(parts=[Text(text="Hello")], stop=END)]))
    stream = written(events)
    cut = stream[: stream.index(b"event: response.output_text.done")]

    assert not any(isinstance(event, Done | Stop) for event in read([cut]))
    assert not any(isinstance(event, Done | Stop) for event in read([stream[:-9]]))
    assert read([stream.rstrip()]) == read([stream])


def test_a_provider_that_tells_no_deltas_is_read_from_its_items() -> None:
    item = {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    call = {"type": "function_call", "id": "f", "call_id": "c", "name": "n", "arguments": "{}"}
    done = {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": [item, call]}}
    stream = b"data: " + json.dumps(done).encode() + b"\n\n"

    answer = fold(read([stream]))
    assert same(answer.candidates[0].parts, [Text(text="Hi"), ToolCall(id="c", item_id="f", name="n", arguments="{}")])
    assert answer.candidates[0].stop == TOOL


def test_unknown_events_are_passed_over_and_comments_are_signs_of_life() -> None:
    stream = b': processing\n\ndata: {"type":"response.brand_new","delta":{"a":1}}\n\ndata: [DONE]\n\n'

    assert read([stream]) == [Beat()]


def test_a_sign_of_life_is_a_comment() -> None:
    assert written([Beat()]) == b": keep-alive\n\n"
    assert written([Signed(1, 0, Signature("gemini", "x")), Open(1, 0, Text(text=""))]) == b""
