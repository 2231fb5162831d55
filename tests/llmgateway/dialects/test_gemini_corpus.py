"""Every recorded exchange with Gemini and Vertex, read and written again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from google.genai import types

from llmgateway.proxy.conversation.answer import FILTER, STOPS, Answer
from llmgateway.proxy.conversation.events import Done, Failed, Fold, fold, unfold
from llmgateway.proxy.conversation.parts import Reasoning, Special, Text, ToolCall, same
from llmgateway.proxy.dialects.gemini.codec import DIALECT
from llmgateway.proxy.dialects.gemini.stream_out import writer_array
from tests.fakes.cassettes import Cassette, cases
from tests.llmgateway.dialects.gemini_kit import asked, model_of, read_in, recorded, sdk, spelled, target, written

ANSWERED = [cassette for cassette in recorded() if cassette.status == 200 and not cassette.streamed]
STREAMED = [cassette for cassette in recorded() if cassette.status == 200 and cassette.streamed]
REFUSED = [cassette for cassette in recorded() if cassette.status != 200]


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """Without what says nothing: the role of instructions, empty descriptions, an empty configuration, one tool in place of a
    list; with the types of Google's schemas in capitals."""
    told: dict[str, Any] = spelled(body)
    if isinstance(told.get("tools"), dict):
        told["tools"] = [told["tools"]]
    told.get("systemInstruction", {}).pop("role", None)
    if told.get("generationConfig") == {}:
        del told["generationConfig"]
    for tool in told.get("tools", []):
        for declaration in tool.get("functionDeclarations", []):
            if declaration.get("description") == "":
                del declaration["description"]
            if "parameters" in declaration:
                declaration["parameters"] = capitals(declaration["parameters"])
    return told


def capitals(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {key: item.upper() if key == "type" and isinstance(item, str) else capitals(item) for key, item in schema.items()}
    return [capitals(item) for item in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize("cassette", cases(recorded()))
def test_a_recorded_request_is_written_as_it_was_asked(cassette: Cassette) -> None:
    request = DIALECT.parse_request(cassette.body, model_of(cassette), cassette.kind.startswith("stream"))
    body, losses = written(request, target(model_of(cassette), cassette.provider))
    assert (losses.fields, losses.hints) == ([], [])
    assert normal(body) == normal(cassette.body)
    assert request.model == model_of(cassette)
    assert request.stream is (cassette.kind == "streamGenerateContent")


def what_matters(answer: Answer) -> Answer:
    return msgspec.structs.replace(answer, extra={}, service_tier="", model="")


def said(body: dict[str, Any]) -> tuple[str, list[Any]]:
    """The text and the calls, read without our code."""
    parts = [part for one in body.get("candidates", []) for part in one.get("content", {}).get("parts", [])]
    calls = [(part["functionCall"]["name"], part["functionCall"]["args"]) for part in parts if "functionCall" in part]
    return "".join(part.get("text", "") for part in parts if not part.get("thought")), calls


@pytest.mark.parametrize("cassette", cases(ANSWERED))
def test_a_recorded_answer_says_the_same_to_its_caller_and_to_the_official_sdk(cassette: Cassette) -> None:
    body = json.loads(cassette.answer)
    answer = DIALECT.parse_answer(body)
    rendered = DIALECT.render_answer(answer, asked(answer_id=""))
    assert said(rendered) == said(body)
    assert same(what_matters(DIALECT.parse_answer(rendered)), what_matters(answer))
    assert all(candidate.stop in STOPS for candidate in answer.candidates)
    told, counted = body["usageMetadata"], rendered.get("usageMetadata", {})
    if "promptTokenCount" in told:
        assert counted["promptTokenCount"] == told["promptTokenCount"] + told.get("toolUsePromptTokenCount", 0)
        assert counted["candidatesTokenCount"] == told.get("candidatesTokenCount", 0)
        assert counted["totalTokenCount"] == told["totalTokenCount"]
        assert counted.get("thoughtsTokenCount", 0) == told.get("thoughtsTokenCount", 0)
    model = sdk(msgspec.json.encode(rendered), "application/json").generate_content(model="m", contents="hi")
    assert (model.text or "") == said(body)[0]
    assert [(call.name, call.args) for call in model.function_calls or []] == said(body)[1]
    assert reasons(body) == [one.finish_reason.value for one in model.candidates or [] if one.finish_reason is not None]


def reasons(body: dict[str, Any]) -> list[str]:
    return [one["finishReason"] for one in body.get("candidates", []) if "finishReason" in one]


def chunks(cassette: Cassette) -> list[dict[str, Any]]:
    return [json.loads(line.removeprefix("data: ")) for line in cassette.answer.decode().splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("cassette", cases(STREAMED))
@pytest.mark.parametrize("sizes", [(1,), (7, 1, 2), (1000,), (10**9,)], ids=str)
def test_a_recorded_stream_is_read_the_same_however_it_is_cut(cassette: Cassette, sizes: tuple[int, ...]) -> None:
    events = read_in(cassette.answer, sizes)
    assert isinstance(events[-1], Done)
    assert same(fold(events), fold(read_in(cassette.answer, (10**9,))))


@pytest.mark.parametrize("cassette", cases(STREAMED))
@pytest.mark.parametrize("ends", [b"\r\n", b"\r"], ids=["crlf", "cr"])
def test_a_recorded_stream_is_read_with_every_line_end(cassette: Cassette, ends: bytes) -> None:
    data = cassette.answer.replace(b"\n", ends)
    assert same(fold(read_in(data, (1,))), fold(read_in(cassette.answer)))


@pytest.mark.parametrize("cassette", cases(STREAMED))
def test_a_recorded_stream_tells_what_its_chunks_say(cassette: Cassette) -> None:
    answer = fold(read_in(cassette.answer))
    told = chunks(cassette)
    parts = answer.candidates[0].parts
    assert "".join(part.text for part in parts if isinstance(part, Text)) == "".join(said(chunk)[0] for chunk in told)
    calls = [(part.name, json.loads(part.arguments)) for part in parts if isinstance(part, ToolCall)]
    assert calls == [call for chunk in told for call in said(chunk)[1]]
    usage = told[-1]["usageMetadata"]
    assert answer.usage["output"] == usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    assert answer.usage["input"] == usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0)
    assert answer.candidates[0].stop == ("tool" if calls else "end")


@pytest.mark.parametrize("cassette", cases(STREAMED))
def test_a_recorded_stream_is_written_so_that_the_official_sdk_reads_the_same(cassette: Cassette) -> None:
    events = read_in(cassette.answer)
    writer = DIALECT.writer(asked(answer_id=""))
    data = b"".join(writer.write(event) for event in events)
    assert same(what_matters(fold(read_in(data))), what_matters(fold(events)))
    seen = list(sdk(data).generate_content_stream(model="m", contents="hi"))
    assert "".join(chunk.text or "" for chunk in seen) == "".join(said(chunk)[0] for chunk in chunks(cassette))
    last = seen[-1]
    assert last.candidates is not None
    assert last.candidates[0].finish_reason is types.FinishReason.STOP
    assert last.usage_metadata is not None
    assert last.usage_metadata.total_token_count == chunks(cassette)[-1]["usageMetadata"]["totalTokenCount"]
    assert data.count(b"finishReason") == 1


@pytest.mark.parametrize("cassette", cases(STREAMED))
def test_a_caller_that_asked_for_no_events_gets_one_json_array_of_the_same(cassette: Cassette) -> None:
    writer = writer_array(asked(answer_id=""))
    events = read_in(cassette.answer)
    told = json.loads(b"".join(writer.write(event) for event in events))
    assert writer.content_type == "application/json"
    assert "".join(said(chunk)[0] for chunk in told) == "".join(said(chunk)[0] for chunk in chunks(cassette))
    assert told[-1]["candidates"][0]["finishReason"] == "STOP"


@pytest.mark.parametrize("cassette", cases(ANSWERED))
def test_a_recorded_answer_told_as_a_stream_is_the_same_answer(cassette: Cassette) -> None:
    answer = DIALECT.parse_answer(json.loads(cassette.answer))
    writer = DIALECT.writer(asked(answer_id=""))
    folding = Fold()
    for event in read_in(b"".join(writer.write(event) for event in unfold(answer)), (4096,)):
        folding.add(event)
    assert folding.done
    ours, theirs = folding.answer, what_matters(answer)
    assert [said_by(one.parts) for one in ours.candidates] == [said_by(one.parts) for one in theirs.candidates]
    assert [(one.stop, one.native_stop) for one in ours.candidates] == [(one.stop, one.native_stop) for one in theirs.candidates]
    assert ours.usage == theirs.usage


def said_by(parts: list[Any]) -> list[Any]:
    """Texts that follow each other joined, everything else in its order."""
    told: list[Any] = []
    for part in parts:
        if isinstance(part, Text | Reasoning):
            kind = type(part).__name__
            if told and told[-1][0] == kind:
                told[-1] = (kind, told[-1][1] + part.text)
            elif part.text:
                told.append((kind, part.text))
        elif isinstance(part, ToolCall):
            told.append(("call", part.id, part.name, part.arguments, part.signature))
        elif isinstance(part, Special):
            told.append((part.kind, part.raw, part.signature))
    return told


@pytest.mark.parametrize("cassette", cases(REFUSED))
def test_a_recorded_refusal_is_read_and_told_again(cassette: Cassette) -> None:
    failure = DIALECT.parse_error(cassette.status, cassette.answer)
    message = json.loads(cassette.answer)["error"]["message"]
    assert (failure.status, failure.message) == (cassette.status, message)
    again = DIALECT.parse_error(cassette.status, DIALECT.render_error(failure, "req_1"))
    assert again == failure


def test_a_blocked_prompt_is_an_answer_that_a_filter_ended() -> None:
    body = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    answer = DIALECT.parse_answer(body)
    assert [(one.parts, one.stop) for one in answer.candidates] == [([], FILTER)]
    assert DIALECT.render_answer(answer, asked())["promptFeedback"] == {"blockReason": "SAFETY"}
    events = read_in(b"data: " + msgspec.json.encode(body) + b"\n\n")
    assert same(fold(events).candidates, answer.candidates)
    assert not any(isinstance(event, Failed) for event in events)
    writer = DIALECT.writer(asked())
    told = [json.loads(line[6:]) for line in b"".join(writer.write(event) for event in events).splitlines() if line]
    assert told[-1]["promptFeedback"] == {"blockReason": "SAFETY"}
