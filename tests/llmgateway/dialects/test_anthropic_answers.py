"""Whole answers, errors and counts of Messages."""

from __future__ import annotations

import json

import anthropic
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmgateway.proxy.conversation.answer import Answer, Candidate, Failure
from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Audio,
    Citation,
    Image,
    Json,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
    same,
)
from llmgateway.proxy.dialects.anthropic_messages.codec import DIALECT
from llmgateway.proxy.dialects.anthropic_messages.count import count_answer, parse_count
from llmgateway.proxy.dialects.dialect import Unreadable
from tests.fakes.cassettes import Cassette, cases, select
from tests.fakes.recorded_usage import recorded_usage
from tests.llmgateway.dialects import strategies as drawn
from tests.llmgateway.dialects.anthropic_kit import as_the_client_reads, asked, client, parsed, whole

ANSWERS = [one for one in select(("anthropic",), ("messages",)) if one.status == 200 and not one.streamed]
COUNTS = select(("anthropic",), ("count_tokens",))


def said(*parts: AnyPart, stop: str = "end") -> Answer:
    return Answer(id="a1", model="m", candidates=[Candidate(parts=list(parts), stop=stop)], usage={"input": 1, "output": 2})


def written(answer: Answer) -> Json:
    return DIALECT.render_answer(answer, asked())


@pytest.mark.parametrize("cassette", cases(ANSWERS))
def test_a_recorded_answer_is_said_again(cassette: Cassette) -> None:
    recorded = whole(cassette)
    answer = DIALECT.parse_answer(recorded)
    body = written(answer)

    again = DIALECT.parse_answer(body)
    assert same((answer.candidates, answer.usage, answer.id), (again.candidates, again.usage, again.id))
    assert again.model == asked().model
    assert {bucket: count for bucket, count in answer.usage.items() if count} == recorded_usage(cassette)
    for one, other in zip(body["content"], recorded["content"], strict=True):
        assert one == {name: value for name, value in other.items() if not (name == "caller" and one["type"] == "tool_use")}
    for name in ("stop_reason", "stop_sequence", "role", "type"):
        assert body[name] == recorded[name]
    for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "server_tool_use"):
        assert body["usage"].get(name) == recorded["usage"].get(name)
    body["usage"].pop("server_tool_use", None)  # as it came: some records are older than a member that is required by now
    assert as_the_client_reads(body).usage.output_tokens == recorded["usage"]["output_tokens"]


spoken = st.one_of(drawn.plain_texts(), drawn.tool_calls(drawn.loose_arguments), drawn.reasoning(), drawn.open_reasoning)
signed = st.builds(Text, text=drawn.texts, signature=drawn.signatures()) | st.builds(
    ToolCall, id=drawn.ids, name=drawn.names, arguments=drawn.arguments, signature=drawn.signatures()
)


@settings(max_examples=60)
@given(drawn.answers(part=spoken | signed))
def test_any_answer_is_read_back_as_it_was(answer: Answer) -> None:
    body = json.loads(json.dumps(written(answer)))

    again = DIALECT.parse_answer(body)
    for candidate in (*answer.candidates, *again.candidates):
        for part in candidate.parts:
            if isinstance(part, ToolCall):
                part.arguments = _compact(part.arguments)
    assert same(again.candidates, answer.candidates)
    assert again.usage == answer.usage
    as_the_client_reads(body)


def _compact(arguments: str) -> str:
    """Objects are written in one spelling; what is no object comes back as it was."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return arguments or "{}"
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else arguments


@settings(max_examples=60)
@given(drawn.answers(part=spoken | signed))
def test_an_answer_that_its_caller_replays_is_the_same_message(answer: Answer) -> None:
    body = written(answer)
    replayed = parsed({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": body["content"]}]})

    assert same(replayed.messages[1].parts, DIALECT.parse_answer(body).candidates[0].parts)


@settings(max_examples=80)
@given(drawn.json_values | st.fixed_dictionaries({"content": st.lists(drawn.json_values)}))
def test_what_is_no_answer_is_unreadable_and_never_worse(body: Json) -> None:
    try:
        answer = DIALECT.parse_answer(body)
    except Unreadable:
        return
    assert isinstance(body["content"], list)
    assert len(answer.candidates) == 1


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"content": None},
        {"content": "Hi"},
        {"content": [{"type": "text"}]},
        {"content": [], "stop_reason": 5},
        {"content": [], "usage": []},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "content": []},
    ],
)
def test_an_answer_without_what_makes_it_one_is_unreadable(body: Json) -> None:
    with pytest.raises(Unreadable):
        DIALECT.parse_answer(body)


def test_counts_that_can_not_be_true_are_not_believed() -> None:
    assert DIALECT.parse_answer({"content": [], "usage": {"input_tokens": -1, "output_tokens": 5}}).usage == {}


@pytest.mark.parametrize(
    ("reason", "stop", "native"),
    [
        ("end_turn", "end", ""),
        ("max_tokens", "length", ""),
        ("model_context_window_exceeded", "length", "model_context_window_exceeded"),
        ("stop_sequence", "sequence", ""),
        ("tool_use", "tool", ""),
        ("pause_turn", "pause", ""),
        ("refusal", "filter", ""),
    ],
)
def test_stop_reasons_go_both_ways(reason: str, stop: str, native: str) -> None:
    answer = DIALECT.parse_answer({"content": [], "stop_reason": reason, "stop_sequence": "x"})

    assert (answer.candidates[0].stop, answer.candidates[0].native_stop, answer.candidates[0].stop_sequence) == (stop, native, "x")
    assert written(answer)["stop_reason"] == reason


def test_an_unknown_stop_reason_ends_the_answer_and_is_kept() -> None:
    candidate = DIALECT.parse_answer({"content": [], "stop_reason": "tired"}).candidates[0]

    assert (candidate.stop, candidate.native_stop) == ("end", "tired")


def test_usage_keeps_the_buckets_apart() -> None:
    usage = {"input": 1, "cached_read": 2, "cache_write_5m": 3, "cache_write_1h": 4, "output": 9, "reasoning": 5}
    body = written(Answer(id="a", model="m", candidates=[Candidate()], usage=usage))

    assert body["usage"] == {
        "input_tokens": 1,
        "cache_read_input_tokens": 2,
        "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
        "output_tokens": 9,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    assert DIALECT.parse_answer(body).usage == usage


def test_an_answer_without_id_model_and_usage_gets_the_houses() -> None:
    body = written(Answer(candidates=[Candidate(parts=[Text(text="Hi")])]))

    assert (body["id"], body["model"], body["stop_reason"]) == ("msg_0192", "the-model", "end_turn")
    assert as_the_client_reads(body).usage.input_tokens == 0


def test_what_other_vendors_sign_is_sealed_in_its_place() -> None:
    gemini = Signature("gemini", "s=")
    body = written(
        said(
            Reasoning(text="Hm.", signature=Signature("openai-responses", "e")),
            Reasoning(redacted=True, signature=gemini),
            Reasoning(text="Own.", signature=Signature("anthropic", "own")),
            Reasoning(text="Bare."),
            Reasoning(summary=["a", "b"]),
            Text(text="Hi", signature=gemini),
            Text(text="", signature=gemini),
        )
    )

    assert body["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "ch1.openai-responses.reasoning.e"},
        {"type": "redacted_thinking", "data": "ch1.gemini.redacted.s="},
        {"type": "thinking", "thinking": "Own.", "signature": "own"},
        {"type": "thinking", "thinking": "Bare.", "signature": ""},
        {"type": "thinking", "thinking": "a\n\nb", "signature": ""},
        {"type": "redacted_thinking", "data": "ch1.gemini.part.s="},
        {"type": "text", "text": "Hi"},
        {"type": "redacted_thinking", "data": "ch1.gemini.text.s="},
    ]


def test_a_refusal_is_a_text_that_stopped_by_refusing() -> None:
    body = written(said(Refused(text="No.")))

    assert body["content"] == [{"type": "text", "text": "No."}]
    assert body["stop_reason"] == "refusal"


def test_what_no_block_is_for_is_said_as_text_and_a_picture_comes_back() -> None:
    picture = Image(data="iVBORw0KGgo=", media_type="image/png")
    body = written(
        said(picture, Audio(data="AA==", media_type="audio/wav", transcript="Hello"), Special(vendor="gemini", kind="x", raw={}))
    )

    assert body["content"] == [
        {"type": "text", "text": "![image](data:image/png;base64,iVBORw0KGgo=)"},
        {"type": "text", "text": "Hello"},
    ]
    replayed = parsed({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": body["content"]}]})
    assert same(replayed.messages[1].parts, [picture, Text(text="Hello")])


def test_broken_arguments_are_said_under_the_documented_name_and_come_back() -> None:
    body = written(said(ToolCall(id="a", name="f", arguments='{"x":'), stop="tool"))

    assert body["content"][0]["input"] == {"INVALID_JSON": '{"x":'}
    assert same(DIALECT.parse_answer(body).candidates[0].parts[0], ToolCall(id="a", name="f", arguments='{"x":'))


@pytest.mark.parametrize(
    "citation",
    [
        Citation("url", url="https://e.com", title="T", quote="q", start=1, end=5),
        Citation("document", title="T", quote="q", document=2, document_id="f", source_start=1, source_end=4),
        Citation("document", quote="q", document=0, unit="page", source_start=1, source_end=2),
        Citation("document", quote="q", document=0, unit="block", source_start=1, source_end=2),
        Citation("search", url="s", title="T", quote="q", document=0, unit="block", source_start=0, source_end=1),
        Citation("file", document_id="f"),
    ],
)
def test_citations_of_other_vendors_are_told_by_the_nearest_kind(citation: Citation) -> None:
    body = written(said(Text(text="Hi", citations=[citation])))

    told = as_the_client_reads(body).content[0]
    assert told.type == "text"
    assert told.citations
    read = DIALECT.parse_answer(body).candidates[0].parts[0]
    assert isinstance(read, Text)
    again = read.citations[0]
    assert (again.url, again.title, again.quote) == (citation.url, citation.title, citation.quote)
    assert again.document_id == citation.document_id
    if citation.kind != "file":
        assert (again.kind, again.unit, again.document) == (citation.kind, citation.unit, citation.document)


@pytest.mark.parametrize("cassette", cases(COUNTS))
def test_a_recorded_count_is_read_or_unreadable(cassette: Cassette) -> None:
    if cassette.status == 200:
        assert count_answer(parse_count(whole(cassette))) == {"input_tokens": whole(cassette)["input_tokens"]}
        return
    failure = DIALECT.parse_error(cassette.status, cassette.answer)
    assert (failure.status, failure.kind) == (404, "not_found")
    assert failure.message == whole(cassette)["error"]["message"]


@pytest.mark.parametrize("body", [None, [], {}, {"input_tokens": "5"}, {"input_tokens": True}, {"input_tokens": -1}])
def test_an_answer_without_a_count_is_unreadable(body: Json) -> None:
    with pytest.raises(Unreadable):
        parse_count(body)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, b'{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}', "invalid", "bad"),
        (
            400,
            b'{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 > 8"}}',
            "context_length",
            "prompt is too long: 9 > 8",
        ),
        (529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "overloaded", "Overloaded"),
        (402, b'{"error":{"type":"billing_error","message":"pay"}}', "quota", "pay"),
        (429, b'{"error":{"type":"rate_limit_error"}}', "rate_limit", "The provider answered with status 429."),
        (503, b"<html>down</html>", "overloaded", "The provider answered with status 503."),
        (502, b"", "server", "The provider answered with status 502."),
        (418, b"teapot", "invalid", "teapot"),
        (403, b'{"message":"denied"}', "permission", "denied"),
        (404, b'{"error":"no such model"}', "not_found", "no such model"),
        (500, b"[1]", "server", "The provider answered with status 500."),
        (504, b"\xff\xfe", "timeout", "\ufffd\ufffd"),
    ],
)
def test_errors_of_any_shape_are_failures(status: int, body: bytes, kind: str, message: str) -> None:
    failure = DIALECT.parse_error(status, body)

    assert (failure.status, failure.kind, failure.message) == (status, kind, message)


@settings(max_examples=60)
@given(st.integers(400, 599), st.binary(max_size=40) | drawn.json_values.map(lambda value: json.dumps(value).encode()))
def test_no_error_body_breaks_the_reader(status: int, body: bytes) -> None:
    failure = DIALECT.parse_error(status, body)

    assert failure.status == status
    assert failure.message


def test_an_error_is_written_as_anthropics_client_reads_it() -> None:
    failure = Failure(status=429, kind="rate_limit", message="Slow down.", code="rpm", param="model")
    body = DIALECT.render_error(failure, "r1")
    caller = client(lambda: httpx2.Response(429, headers={"content-type": "application/json"}, content=body))

    with pytest.raises(anthropic.RateLimitError) as raised:
        caller.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "Hi"}])

    inner = {"type": "rate_limit_error", "message": "Slow down.", "code": "rpm", "param": "model"}
    assert raised.value.body == {"type": "error", "error": inner, "request_id": "r1"}


def test_a_prompt_that_is_too_long_elsewhere_is_worded_so_that_claude_code_shortens_it() -> None:
    failure = Failure(status=400, kind="context_length", message="maximum context length is 8192 tokens", code="context_length_exceeded")

    error = json.loads(DIALECT.render_error(failure, "r1"))["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"] == "prompt is too long: maximum context length is 8192 tokens"
    assert DIALECT.parse_error(400, DIALECT.render_error(failure, "r1")).kind == "context_length"
