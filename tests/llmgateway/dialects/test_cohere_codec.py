"""Cohere's chat read and written: the recorded exchanges, streams as its reference shows them, and what hypothesis finds."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane import sse
from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.answer import END, FILTER, LENGTH, SEQUENCE, TOOL, Answer, Failure
from llmgateway.proxy.conversation.events import Begin, Delta, Done, Event, Failed, Signed, fold, unfold
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import AnyPart, Citation, Reasoning, Signature, Text, ToolCall, ToolResult, same
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.cohere.codec import DIALECT
from llmgateway.proxy.dialects.dialect import Asked, Target, Unreadable
from llmgateway.proxy.providers import VENDORS
from tests.fakes.cassettes import Cassette, cases, select
from tests.llmgateway.dialects import strategies as drawn

FACTS = next(facts for facts in VENDORS if facts.slug == "cohere")
TARGET = Target("cohere", "command-a-03-2025", FACTS)
ASKED = Asked(Request(), {}, "command", "req_1", 1_700_000_000)
CHATS = cases(select(["cohere"], ["chat"]))

PLAN, THINKING = Signature("cohere", "plan"), Signature("cohere", "thinking")


def losses() -> Losses:
    return Losses(TARGET.label)


def read(data: bytes, size: int = 0) -> list[Event]:
    reader = DIALECT.reader()
    pieces = [data[place : place + size] for place in range(0, len(data), size)] if size else [data]
    return [event for piece in pieces for event in reader.feed(piece)] + reader.finish()


def told(events: list[Event]) -> bytes:
    writer = DIALECT.writer(ASKED)
    return b"".join(writer.write(event) for event in events)


def stream(*events: tuple[str, Any], ending: bytes = b"\n") -> bytes:
    raw = b"".join(
        sse.event(json.dumps({"type": kind, **fields}, ensure_ascii=False).encode(), name=kind.encode()) for kind, fields in events
    )
    return raw.replace(b"\n", ending)


def message(**inner: Any) -> dict[str, Any]:
    return {"delta": {"message": inner}}


def bare(answer: Answer) -> Answer:
    return msgspec.structs.replace(answer, extra={}, model="", created=0)


# the corpus


@pytest.mark.parametrize("cassette", CHATS)
def test_a_recorded_request_is_written_as_it_was_read(cassette: Cassette) -> None:
    request = DIALECT.parse_request(cassette.body, "", False)
    lost = losses()

    assert DIALECT.render_request(request, TARGET._replace(model=request.model), lost) == cassette.body

    assert (lost.fields, lost.hints) == ([], [])


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


# requests

FULL = {
    "model": "command-a-reasoning-08-2025",
    "stream": True,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": "Be kind."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw==", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "tool_plan": "I look it up.",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "One moment."}],
            "tool_calls": [
                {"id": "a1", "type": "function", "function": {"name": "look", "arguments": '{"at": "it"}'}},
                {"id": "a2", "type": "function", "function": {"name": "now", "arguments": "{}"}},
            ],
            "citations": [
                {
                    "start": 0,
                    "end": 3,
                    "text": "One",
                    "content_index": 1,
                    "type": "TEXT_CONTENT",
                    "sources": [
                        {"type": "document", "id": "d1", "document": {"title": "t", "snippet": "s"}},
                        {"type": "document", "id": "d2"},
                    ],
                }
            ],
        },
        {"role": "tool", "tool_call_id": "a1", "content": "a cat"},
        {
            "role": "tool",
            "tool_call_id": "a2",
            "content": [{"type": "document", "document": {"data": {"hour": 12, "zone": "UTC"}}}, {"type": "text", "text": "noon"}],
        },
        {"role": "system", "content": "Now answer."},
        {"role": "user", "content": "Go on."},
    ],
    "tools": [
        {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}},
        {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}},
    ],
    "strict_tools": True,
    "tool_choice": "REQUIRED",
    "documents": ["a text", {"data": {"title": "t"}, "id": "d1"}],
    "citation_options": {"mode": "FAST"},
    "safety_mode": "STRICT",
    "priority": 3,
    "response_format": {"type": "json_object", "json_schema": {"type": "object", "required": ["a"]}},
    "max_tokens": 100,
    "stop_sequences": ["END"],
    "temperature": 0.3,
    "seed": 7,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "k": 10,
    "p": 0.9,
    "logprobs": True,
    "thinking": {"type": "enabled", "token_budget": 512},
}


def test_a_request_with_everything_is_written_as_it_was_read() -> None:
    request = DIALECT.parse_request(FULL, "", False)
    lost = losses()
    assert DIALECT.render_request(request, TARGET._replace(model=FULL["model"]), lost) == FULL
    assert (lost.fields, lost.hints) == ([], [])
    assert [text.text for text in request.system] == ["Be brief.", "Be kind."]
    results = request.messages[2].parts
    assert [part.call_id for part in results if isinstance(part, ToolResult)] == ["a1", "a2"]
    assert same(results[1], ToolResult(call_id="a2", content=[Text(text='{"hour":12,"zone":"UTC"}'), Text(text="noon")]))


slots = ("max_output", "top_k", "stop", "seed", "logprobs", "format")


@settings(max_examples=60)
@given(drawn.requests(user=st.one_of(drawn.plain_texts(), drawn.images, drawn.detailed_images), said=slots))
def test_what_cohere_can_say_of_a_request_is_read_back_the_same(request: Request) -> None:
    if request.tool_choice is not None and request.tool_choice.mode in ("auto", "tool"):
        request.tool_choice = None
    if request.format is not None:
        request.format.name, request.format.strict = "", None
    body = msgspec.json.decode(msgspec.json.encode(DIALECT.render_request(request, TARGET, lost := losses())))

    back = DIALECT.parse_request(body, "", False)

    assert (lost.fields, lost.hints) == ([], [])
    back.model = request.model
    for made in (request, back):
        for said in made.messages:
            said.parts = ordered(said.parts)
            for part in said.parts:
                if isinstance(part, ToolResult):
                    part.name = ""
    assert same(back, request)


def ordered(parts: list[AnyPart]) -> list[AnyPart]:
    """Content, plans, calls: the places that a whole message has, each in its order."""
    return sorted(parts, key=lambda part: 2 if isinstance(part, ToolCall) else int(part.signature == PLAN))


@given(drawn.json_values)
def test_no_json_makes_reading_a_request_crash(value: Any) -> None:
    shapes = [value, {"messages": value}, {"tools": value}, {"thinking": value, "response_format": value, "tool_choice": value}]
    shapes += [{"messages": [{"role": role, "content": value, "tool_call_id": "a"}]} for role in ("user", "assistant", "system", "tool")]
    shapes += [{"messages": [{"role": role, "content": [value], "tool_call_id": "a"}]} for role in ("user", "tool")]
    shapes += [{"messages": [{"role": "assistant", "tool_calls": [value], "citations": value}]}, {"tools": [{"function": value}]}]
    for shape in shapes:
        try:
            request = DIALECT.parse_request(shape, "", False)
        except BadRequest:
            continue
        DIALECT.render_request(request, TARGET, losses())


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("text", None),
        ({"messages": 1}, "messages"),
        ({"messages": [{"role": "CHATBOT", "content": ""}]}, "messages[0].role"),
        ({"messages": [{"content": ""}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages[0].tool_calls[0].function"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"k": 1.5}, "k"),
        ({"thinking": {"type": "maybe"}}, "thinking.type"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ],
)
def test_a_wrong_type_is_refused_by_its_path(body: Any, param: str | None) -> None:
    with pytest.raises(BadRequest) as refused:
        DIALECT.parse_request(body, "", False)
    assert (refused.value.param, refused.value.code) == (param, "invalid_type")


def test_what_nobody_knows_is_kept_by_its_path() -> None:
    body = {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a", "lang": "en"}], "mood": 1}],
        "tools": [{"type": "function", "function": {"name": "a", "version": 2}}],
        "thinking": {"type": "disabled", "style": "x"},
        "raw_prompting": True,
    }
    request = DIALECT.parse_request(body, "", False)
    assert request.extra == {
        "messages[0].content[0].lang": "en",
        "messages[0].mood": 1,
        "tools[0].function.version": 2,
        "thinking.style": "x",
        "raw_prompting": True,
    }
    lost = losses()
    DIALECT.render_request(request, TARGET, lost)
    assert lost.fields == list(request.extra)


# streams

CITATION = {
    "start": 4,
    "end": 9,
    "text": "Größe",
    "sources": [{"type": "document", "id": "doc:0", "document": {"id": "doc:0", "title": "Pinguine", "snippet": "Sie sind groß. 🐧"}}],
    "type": "TEXT_CONTENT",
}
USAGE = {
    "billed_units": {"input_tokens": 34.0, "output_tokens": 14.0},
    "tokens": {"input_tokens": 721.0, "output_tokens": 59.0},
    "cached_tokens": 600.0,
}
BEGIN = ("message-start", {"id": "29f14a5a", **message(role="assistant", content=[], tool_plan="", tool_calls=[], citations=[])})


def ended(reason: str, **more: Any) -> tuple[str, Any]:
    return "message-end", {"delta": {"finish_reason": reason, "usage": USAGE, **more}}


def call(place: int, id_: str, *pieces: str) -> list[tuple[str, Any]]:
    start = message(tool_calls={"id": id_, "type": "function", "function": {"name": "look", "arguments": ""}})
    grown = [("tool-call-delta", {"index": place, **message(tool_calls={"function": {"arguments": piece}})}) for piece in pieces]
    return [("tool-call-start", {"index": place, **start}), *grown, ("tool-call-end", {"index": place})]


def content(kind: str, place: int, *pieces: str) -> list[tuple[str, Any]]:
    start = ("content-start", {"index": place, **message(content={"type": kind, kind: ""})})
    return [start, *(("content-delta", {"index": place, **message(content={kind: piece})}) for piece in pieces)]


def citing(place: int) -> list[tuple[str, Any]]:
    return [("citation-start", {"index": place, **message(citations=CITATION)}), ("citation-end", {"index": place})]


STREAMS: dict[str, tuple[list[tuple[str, Any]], Any]] = {
    "text with citations": (
        [
            BEGIN,
            *content("text", 0, "Die ", "Größe", " zählt 🐧."),
            *citing(0),
            *citing(1),
            ("content-end", {"index": 0}),
            ended("COMPLETE"),
        ],
        {
            "message": {"content": [{"type": "text", "text": "Die Größe zählt 🐧."}], "citations": [CITATION, CITATION]},
            "finish_reason": "COMPLETE",
        },
    ),
    "citations behind the text": (
        [BEGIN, *content("text", 0, "Die Größe"), ("content-end", {"index": 0}), *citing(0), ended("MAX_TOKENS")],
        {"message": {"content": [{"type": "text", "text": "Die Größe"}], "citations": [CITATION]}, "finish_reason": "MAX_TOKENS"},
    ),
    "plan and calls": (
        [
            BEGIN,
            ("tool-plan-delta", message(tool_plan="I ")),
            ("tool-plan-delta", message(tool_plan="look.")),
            *call(0, "a1", '{"at', '": "Madrid"}'),
            *call(1, "a2", "{}"),
            ended("TOOL_CALL"),
        ],
        {
            "message": {
                "tool_plan": "I look.",
                "tool_calls": [
                    {"id": "a1", "type": "function", "function": {"name": "look", "arguments": '{"at": "Madrid"}'}},
                    {"id": "a2", "type": "function", "function": {"name": "look", "arguments": "{}"}},
                ],
            },
            "finish_reason": "TOOL_CALL",
        },
    ),
    "thinking": (
        [
            BEGIN,
            *content("thinking", 0, "Well", ", well."),
            ("content-end", {"index": 0}),
            *content("text", 1, "Yes."),
            ("content-end", {"index": 1}),
            ("debug", {"prompt": "…"}),
            ended("STOP_SEQUENCE"),
        ],
        {
            "message": {"content": [{"type": "thinking", "thinking": "Well, well."}, {"type": "text", "text": "Yes."}]},
            "finish_reason": "STOP_SEQUENCE",
        },
    ),
    "without indexes": (
        [
            BEGIN,
            ("content-start", message(content={"type": "text", "text": "The"})),
            ("content-delta", message(content={"text": " image"})),
            ("content-end", {}),
            ended("ERROR_TOXIC"),
        ],
        {"message": {"content": [{"type": "text", "text": "The image"}]}, "finish_reason": "ERROR_TOXIC"},
    ),
}


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


said_parts = st.one_of(
    drawn.plain_texts(cited=False),
    drawn.tool_calls(drawn.loose_arguments),
    st.builds(Reasoning, text=drawn.texts, signature=st.sampled_from((PLAN, THINKING))),
)
counts = drawn.usages(written=False).map(lambda usage: {**usage, "reasoning": 0})


def one_plan(answer: Answer) -> Answer:
    """A message has one plan, in one place: further ones are thoughts."""
    planned = False
    for part in answer.candidates[0].parts:
        if isinstance(part, Reasoning) and part.signature == PLAN:
            part.signature, planned = (THINKING, planned) if planned else (PLAN, True)
    return answer


@settings(max_examples=60)
@given(drawn.answers(part=said_parts, usage=counts).map(one_plan))
def test_an_answer_is_read_back_the_same(answer: Answer) -> None:
    body = msgspec.json.decode(msgspec.json.encode(DIALECT.render_answer(answer, ASKED)))
    expected = bare(answer)
    expected.candidates[0].parts = ordered(expected.candidates[0].parts)
    assert same(bare(DIALECT.parse_answer(body)), expected)


@settings(max_examples=60)
@given(st.data())
def test_any_stream_is_read_back_the_same_though_its_parts_come_interleaved(data: st.DataObject) -> None:
    answer = data.draw(drawn.answers(part=said_parts, usage=counts).map(one_plan))
    events = data.draw(drawn.streams(st.just(answer)))
    assert same(bare(fold(read(told(events)))), bare(answer))


def test_a_citation_of_another_vendor_is_told_as_a_document() -> None:
    found = Text(
        text="see here", citations=[Citation("url", url="https://example.com", title="t", quote="q", start=0, end=3, vendor="anthropic")]
    )
    answer = Answer(candidates=[msgspec.structs.replace(DIALECT.parse_answer(STREAMS["thinking"][1]).candidates[0], parts=[found])])
    back = DIALECT.parse_answer(DIALECT.render_answer(answer, ASKED)).candidates[0].parts[0]
    assert isinstance(back, Text)
    cited = back.citations[0]
    assert (cited.url, cited.title, cited.quote, cited.start, cited.end) == ("https://example.com", "t", "q", 0, 3)


# what goes wrong


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


@pytest.mark.parametrize("reason", ["ERROR", "TIMEOUT"])
def test_a_whole_answer_whose_generation_failed_is_unreadable(reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        DIALECT.parse_answer({"message": {"role": "assistant"}, "finish_reason": reason})


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


@pytest.mark.parametrize(
    "body", [{}, [], {"finish_reason": "COMPLETE"}, {"message": {}}, {"message": {"content": [{}]}, "finish_reason": "COMPLETE"}]
)
def test_what_is_no_answer_is_unreadable(body: Any) -> None:
    with pytest.raises(Unreadable):
        DIALECT.parse_answer(body)


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


def test_a_signature_tells_where_a_thought_goes_back_to() -> None:
    events = read(stream(*STREAMS["plan and calls"][0]))
    signed = [event for event in events if isinstance(event, Signed)]
    assert [event.signature for event in signed] == [PLAN]
    assert not any(isinstance(event, Delta) and event.index == 0 for event in events[events.index(signed[0]) :])
