"""Converse read and written: requests, whole answers, streams."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH, SEQUENCE, TOOL, Answer, Candidate
from llmgateway.proxy.conversation.events import Begin, Close, Delta, Done, Event, Open, Signed, Stop, Used, fold, unfold
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Reasoning, Signature, Text, ToolCall, ToolResult, same
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.bedrock.codec import DIALECT
from llmgateway.proxy.dialects.bedrock.eventstream import Decoder
from llmgateway.proxy.dialects.dialect import Asked, Target
from llmgateway.proxy.providers import VENDORS
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.bedrock_samples import ANSWERS, MODEL, NEWER, OLDER, REQUESTS, SYSTEM_TURN

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


# requests


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_written_as_it_was_read(name: str) -> None:
    model = NEWER if name == SYSTEM_TURN else MODEL
    request = DIALECT.parse_request(REQUESTS[name], model, True)
    lost = losses()

    assert DIALECT.render_request(request, TARGET._replace(model=model), lost) == REQUESTS[name]

    assert (lost.fields, lost.hints) == ([], [])
    assert (request.model, request.stream) == (model, True)


slots = ("max_output", "temperature", "top_p", "top_k", "stop", "service_tier")
users = st.one_of(drawn.plain_texts(), drawn.images.filter(lambda image: not image.url), drawn.sounds)
assistants = st.one_of(drawn.plain_texts(), drawn.tool_calls(), drawn.reasoning(("bedrock",)))


def told_parts(request: Request) -> list[AnyPart]:
    return [part for message in request.messages for part in message.parts]


@settings(max_examples=60)
@given(drawn.requests(user=users, assistant=assistants, said=slots))
def test_what_converse_can_say_of_a_request_is_read_back_the_same(request: Request) -> None:
    if request.tool_choice is not None and request.tool_choice.mode == "none":
        request.tool_choice = None
    if request.service_tier == "auto":
        request.service_tier = ""
    assume(not any(isinstance(part, Text) and not part.text.strip() for part in [*request.system, *told_parts(request)]))
    lost = losses()
    body = msgspec.json.decode(msgspec.json.encode(DIALECT.render_request(request, TARGET._replace(model=OLDER), lost)))

    back = DIALECT.parse_request(body, request.model, request.stream)

    assert lost.fields == []
    needs_tools = not request.tools and any(isinstance(part, ToolCall) for part in told_parts(request))
    assert lost.hints == (["tools"] if needs_tools else [])
    if needs_tools:
        back.tools = []
    for result in (part for part in told_parts(request) if isinstance(part, ToolResult)):
        result.name = ""  # Converse names a result by its call alone
    assert same(back, request)


@settings(max_examples=40)
@given(drawn.json_values)
def test_no_json_makes_reading_a_request_crash(body: Any) -> None:
    for shape in (
        body,
        {"messages": body},
        {"messages": [{"role": "user", "content": [body]}], "system": body, "toolConfig": body},
        {"inferenceConfig": body, "additionalModelRequestFields": body, "outputConfig": body},
        {"toolConfig": {"tools": [body, {"toolSpec": body}, {"cachePoint": body}], "toolChoice": body}},
        {"messages": [{"role": "user", "content": [{kind: body}]} for kind in ("text", "image", "document", "toolUse", "toolResult")]},
        {"messages": [{"role": "user", "content": [{kind: body}]} for kind in ("reasoningContent", "cachePoint", "citationsContent")]},
        {"messages": [{"role": "user", "content": [{"toolResult": {"toolUseId": "a", "content": [body, {"image": body}]}}]}]},
    ):
        try:
            request = DIALECT.parse_request(shape, MODEL, False)
        except BadRequest:
            continue
        DIALECT.render_request(request, TARGET, losses())


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({"messages": {}}, "messages"),
        ({"messages": [{"role": "critic"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"text": 1}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"text": "a", "image": {}}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"image": {"format": "png"}}]}]}, "messages[0].content[0].image.source"),
        ({"messages": [{"role": "assistant", "content": [{"toolUse": {"name": "a"}}]}]}, "messages[0].content[0].toolUse.toolUseId"),
        ({"inferenceConfig": {"maxTokens": "many"}}, "inferenceConfig.maxTokens"),
        ({"inferenceConfig": {"maxTokens": True}}, "inferenceConfig.maxTokens"),
        ({"inferenceConfig": {"stopSequences": ["a", 1]}}, "inferenceConfig.stopSequences[1]"),
        ({"toolConfig": {"tools": [{"toolSpec": {}}]}}, "toolConfig.tools[0].toolSpec.name"),
        (
            {"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "{"}}}}},
            "outputConfig.textFormat.structure.jsonSchema.schema",
        ),
    ],
)
def test_a_wrong_type_is_refused_by_its_path(body: Any, param: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        DIALECT.parse_request(body, MODEL, False)
    assert (refused.value.param, refused.value.code) == (param, "invalid_type")


# answers


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_written_as_it_was_read(name: str) -> None:
    body, _ = ANSWERS[name]
    answer = DIALECT.parse_answer(body)

    written = DIALECT.render_answer(answer, ASKED)

    assert {**written, "metrics": body["metrics"]} == body
    assert same(plain(DIALECT.parse_answer(written)), plain(answer))


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("size", [0, 1, 7, 64])
def test_a_stream_tells_what_the_whole_answer_tells_wherever_it_is_cut(name: str, size: int) -> None:
    body, data = ANSWERS[name]
    events = read(data, size)

    answer = fold(events)

    assert isinstance(events[0], Begin)
    assert isinstance(events[-1], Done)
    assert same(plain(answer), plain(DIALECT.parse_answer(body)))
    assert same(plain(fold(read(told(events)))), plain(answer))


@pytest.mark.parametrize(
    ("name", "stop", "native", "sequence"),
    [
        ("text", END, "", None),
        ("tools", TOOL, "", None),
        ("reasoning", LENGTH, "", None),
        ("guarded", FILTER, "guardrail_intervened", None),
        ("stop sequence", SEQUENCE, "", "three"),
        ("window", LENGTH, "model_context_window_exceeded", None),
    ],
)
def test_why_a_model_stopped_is_told(name: str, stop: str, native: str, sequence: str | None) -> None:
    said = DIALECT.parse_answer(ANSWERS[name][0]).candidates[0]
    assert (said.stop, said.native_stop, said.stop_sequence) == (stop, native, sequence)


def test_the_counts_of_tokens_are_disjoint() -> None:
    usage = DIALECT.parse_answer(ANSWERS["tools"][0]).usage
    assert usage == {"input": 12, "cached_read": 2048, "cache_write_5m": 128, "cache_write_1h": 1024, "output": 40, "reasoning": 0}
    without = {**ANSWERS["tools"][0], "usage": {"inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokens": 7, "totalTokens": 10}}
    assert DIALECT.parse_answer(without).usage["cache_write_5m"] == 7


@pytest.mark.parametrize("usage", [None, [], {"inputTokens": -1}, {"inputTokens": "many"}, {"outputTokens": 10**12}, {}])
def test_counts_that_can_not_be_true_are_not_believed(usage: Any) -> None:
    assert DIALECT.parse_answer({**ANSWERS["text"][0], "usage": usage}).usage == {}


said_parts = st.one_of(drawn.plain_texts(), drawn.tool_calls(), drawn.reasoning(), drawn.images.filter(lambda image: not image.url))
counts = drawn.usages().map(lambda usage: {**usage, "reasoning": 0})


@settings(max_examples=60)
@given(drawn.answers(part=said_parts, usage=counts))
def test_an_answer_of_any_vendor_is_read_back_the_same_its_signatures_too(answer: Answer) -> None:
    body = msgspec.json.decode(msgspec.json.encode(DIALECT.render_answer(answer, ASKED)))
    assert same(plain(DIALECT.parse_answer(body)), plain(answer))


@settings(max_examples=60)
@given(st.data())
def test_any_stream_is_read_back_the_same_though_its_parts_come_interleaved(data: st.DataObject) -> None:
    answer = data.draw(drawn.answers(part=said_parts, usage=counts))
    events = data.draw(drawn.streams(st.just(answer)))
    assert same(plain(fold(read(told(events)))), plain(answer))


def test_a_signature_of_another_vendor_comes_back_on_its_part() -> None:
    gemini = Signature("gemini", "c2lnbmVk")
    parts = [Text(text="a", signature=gemini), ToolCall(id="1", name="now", arguments="{}", signature=gemini), Text(text="b")]
    answer = Answer(candidates=[Candidate(parts=parts, stop=TOOL)])

    body = DIALECT.render_answer(answer, ASKED)
    blocks = body["output"]["message"]["content"]
    history = {"messages": [{"role": "user", "content": [{"text": "hi"}]}, {"role": "assistant", "content": blocks}]}

    assert [next(iter(block)) for block in blocks] == ["reasoningContent", "text", "reasoningContent", "toolUse", "text"]
    assert same(DIALECT.parse_request(history, MODEL, False).messages[1].parts, parts)
    streamed = fold(read(told(unfold(Answer(candidates=[Candidate(parts=parts[1:], stop=TOOL)])))))
    assert same(streamed.candidates[0].parts, parts[1:])


def test_the_writer_tells_one_block_at_a_time_and_ends_once() -> None:
    events = [
        Begin("", "", 0),
        Open(0, 0, Text(text="")),
        Open(0, 1, ToolCall(id="1", name="now")),
        Delta(0, 1, "{}"),
        Delta(0, 0, "hello"),
        Close(0, 1),
        Close(0, 0),
        Used({"input": 1, "output": 2}),
        Stop(0, TOOL),
        Done(),
        Done(),
    ]
    messages = Decoder().feed(told(events))
    assert [message.header(":event-type") for message in messages] == [
        "messageStart",
        "contentBlockDelta",
        "contentBlockStop",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    ]
    places = [msgspec.json.decode(message.payload).get("contentBlockIndex") for message in messages]
    assert places == [None, 0, 0, 1, 1, 1, None, None]
    assert msgspec.json.decode(messages[-1].payload)["usage"] == {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}


def test_the_texts_of_a_stream_are_told_as_they_come() -> None:
    writer = DIALECT.writer(ASKED)
    writer.write(Begin())
    assert writer.write(Open(0, 0, Reasoning())) == b""
    assert b"thinking aloud" in writer.write(Delta(0, 0, "thinking aloud"))
    assert b"c2ln" in writer.write(Signed(0, 0, Signature("bedrock", "c2ln")))
