"""Answers of the Gemini dialect: why it stopped, where it comes from, what it used; of other vendors and of none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st

from llmgateway.proxy.conversation.answer import Answer, Candidate
from llmgateway.proxy.conversation.parts import (
    Audio,
    Citation,
    Image,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
    same,
)
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.gemini.codec import DIALECT
from llmgateway.proxy.dialects.gemini.usage import GeminiUsage, from_gemini, to_gemini
from tests.llmgateway.dialects import strategies as made
from tests.llmgateway.dialects.gemini_kit import asked, sdk


def body_of(*parts: Any, reason: str = "STOP", **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "finishReason": reason, **more}], "responseId": "r-1"}


def told(answer: Answer) -> dict[str, Any]:
    rendered: dict[str, Any] = DIALECT.render_answer(answer, asked())
    types.GenerateContentResponse.model_validate(rendered)
    return rendered


CALL = {"functionCall": {"name": "f", "args": {"a": 1}}}


@pytest.mark.parametrize(
    ("reason", "parts", "stop", "native"),
    [
        ("STOP", [{"text": "Hi"}], "end", ""),
        ("STOP", [CALL], "tool", ""),
        ("MAX_TOKENS", [CALL], "length", ""),
        ("SAFETY", [], "filter", "SAFETY"),
        ("IMAGE_SAFETY", [], "filter", "IMAGE_SAFETY"),
        ("MALFORMED_FUNCTION_CALL", [], "end", "MALFORMED_FUNCTION_CALL"),
        ("UNEXPECTED_TOOL_CALL", [CALL], "tool", "UNEXPECTED_TOOL_CALL"),
        ("A_REASON_OF_TOMORROW", [{"text": "Hi"}], "end", "A_REASON_OF_TOMORROW"),
    ],
)
def test_a_reason_to_end_is_one_word_of_the_house_and_the_vendors_own_beside_it(reason: str, parts: Any, stop: str, native: str) -> None:
    (candidate,) = DIALECT.parse_answer(body_of(*parts, reason=reason)).candidates
    assert (candidate.stop, candidate.native_stop) == (stop, native)


@pytest.mark.parametrize(
    ("stop", "native", "reason"),
    [
        ("end", "end_turn", "STOP"),
        ("tool", "tool_calls", "STOP"),
        ("sequence", "stop_sequence", "STOP"),
        ("pause", "pause_turn", "STOP"),
        ("length", "length", "MAX_TOKENS"),
        ("filter", "content_filter", "SAFETY"),
        ("filter", "RECITATION", "RECITATION"),
    ],
)
def test_any_vendors_reason_is_told_in_googles_words(stop: str, native: str, reason: str) -> None:
    answer = Answer(candidates=[Candidate(parts=[Text(text="Hi")], stop=stop, native_stop=native)])
    assert told(answer)["candidates"][0]["finishReason"] == reason


def test_calls_without_ids_get_ids_that_no_other_answer_has() -> None:
    parts = DIALECT.parse_answer(body_of(CALL, {"text": "and"}, CALL)).candidates[0].parts
    assert [part.id for part in parts if isinstance(part, ToolCall)] == ["call_r-1_0", "call_r-1_1"]


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"candidates": []},
        {"promptFeedback": {}},
        {"candidates": "x"},
        {"candidates": [1]},
        {"candidates": [{"content": {"parts": [{"text": 1}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": {}}}]}}]},
        {"candidates": [{"index": "x"}]},
        {"candidates": [{"finishReason": 1}]},
    ],
)
def test_what_is_no_answer_is_unreadable(body: Any) -> None:
    with pytest.raises(Unreadable):
        DIALECT.parse_answer(body)


@given(made.json_values | st.builds(body_of, made.json_values, groundingMetadata=made.json_values, logprobsResult=made.json_values))
def test_any_json_is_an_answer_or_unreadable(body: Any) -> None:
    try:
        answer = DIALECT.parse_answer(body)
    except Unreadable:
        return
    msgspec.json.encode(DIALECT.render_answer(answer, asked()))


GROUNDED = {
    "groundingChunks": [
        {"web": {"uri": "https://a.example", "title": "a"}},
        {"retrievedContext": {"uri": "gs://b", "title": "b", "text": "quoted", "documentName": "docs/b"}},
        {"maps": {"uri": "https://maps.example", "title": "c", "placeId": "p"}},
        {"web": {"uri": "https://unused.example", "title": "d"}},
    ],
    "groundingSupports": [
        {"segment": {"startIndex": 5, "endIndex": 9, "text": "69°"}, "groundingChunkIndices": [0, 1]},
        {"segment": {"partIndex": 1, "endIndex": 4, "text": "Next"}, "groundingChunkIndices": [2]},
        {"segment": {"startIndex": 900, "endIndex": 1000}, "groundingChunkIndices": [0, 77]},
    ],
}


def test_sources_stand_on_the_characters_of_the_text_that_they_are_about() -> None:
    body = body_of({"text": "It is 69° now."}, {"text": "Next day."}, groundingMetadata=GROUNDED)
    first, second = DIALECT.parse_answer(body).candidates[0].parts
    assert isinstance(first, Text)
    assert isinstance(second, Text)
    assert [(one.kind, one.url, one.start, one.end) for one in first.citations] == [
        ("url", "https://a.example", 6, 9),
        ("document", "gs://b", 6, 9),
        ("url", "https://a.example", None, None),
    ]
    assert (first.citations[1].quote, first.citations[1].document_id) == ("quoted", "docs/b")
    assert [(one.url, one.start, one.end) for one in second.citations] == [
        ("https://maps.example", 0, 4),
        ("https://unused.example", None, None),
    ]


def test_sources_come_back_where_they_were() -> None:
    answer = DIALECT.parse_answer(body_of({"text": "It is 69° now."}, {"text": "Next day."}, groundingMetadata=GROUNDED))
    assert same(DIALECT.parse_answer(told(answer)).candidates, answer.candidates)


def test_another_vendors_citations_are_sources_of_the_text() -> None:
    cited = [
        Citation("url", url="https://a.example", title="a", start=0, end=3, vendor="openai-chat"),
        Citation("document", title="paper", quote="said so", document=0, source_start=3, vendor="anthropic", raw={"type": "char_location"}),
    ]
    grounding = told(Answer(candidates=[Candidate(parts=[Text(text="Für", citations=cited)], stop="end")]))["candidates"][0][
        "groundingMetadata"
    ]
    assert grounding["groundingChunks"] == [
        {"web": {"uri": "https://a.example", "title": "a"}},
        {"retrievedContext": {"title": "paper", "text": "said so"}},
    ]
    assert grounding["groundingSupports"][0] == {"segment": {"endIndex": 4, "text": "Für"}, "groundingChunkIndices": [0]}


def test_recited_text_is_cited_with_its_address() -> None:
    recited = {"citations": [{"startIndex": 0, "endIndex": 2, "uri": "https://a.example", "license": "mit"}]}
    (part,) = DIALECT.parse_answer(body_of({"text": "abc"}, citationMetadata=recited)).candidates[0].parts
    assert isinstance(part, Text)
    assert [(one.url, one.start, one.end) for one in part.citations] == [("https://a.example", 0, 2)]


def test_probabilities_are_told_as_openai_tells_them_and_come_back() -> None:
    result = {
        "chosenCandidates": [{"token": "é", "logProbability": -0.5, "tokenId": 4}, {"token": "b"}],
        "topCandidates": [{"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "x", "logProbability": -2}]}],
    }
    answer = DIALECT.parse_answer(body_of({"text": "éb"}, logprobsResult=result))
    assert answer.candidates[0].logprobs["content"][0] == {
        "token": "é",
        "logprob": -0.5,
        "bytes": [195, 169],
        "top_logprobs": [
            {"token": "é", "logprob": -0.5, "bytes": [195, 169]},
            {"token": "x", "logprob": -2, "bytes": [120]},
        ],
    }
    assert same(DIALECT.parse_answer(told(answer)).candidates, answer.candidates)


def test_what_a_model_left_unfinished_is_a_malformed_call_and_never_one_with_other_arguments() -> None:
    cut = ToolCall(id="a", name="delete", arguments='{"path": "/tm')
    (candidate,) = told(Answer(candidates=[Candidate(parts=[cut], stop="tool")]))["candidates"]
    assert (candidate["content"]["parts"], candidate["finishReason"]) == ([], "MALFORMED_FUNCTION_CALL")
    (candidate,) = told(Answer(candidates=[Candidate(parts=[cut], stop="length")]))["candidates"]
    assert candidate["finishReason"] == "MAX_TOKENS"


def test_what_other_vendors_say_is_told_as_far_as_there_are_words() -> None:
    parts = [
        Reasoning(summary=["First.", "Then."], signature=Signature("openai-responses", "gAAA")),
        Refused(text="No."),
        Special(vendor="anthropic", kind="server_tool_use", raw={}),
        Audio(data="AAAA", transcript="words", audio_id="x"),
        Image(data="AAAA", media_type="image/png"),
    ]
    written = told(Answer(id="msg_1", candidates=[Candidate(parts=parts, stop="end")]))["candidates"][0]["content"]["parts"]
    assert [{key: value for key, value in part.items() if key != "thoughtSignature"} for part in written] == [
        {"text": "First.\n\nThen.", "thought": True},
        {"text": "No."},
        {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}},
        {"text": "words"},
        {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
    ]
    assert "thoughtSignature" in written[0]


def test_the_official_sdk_reads_an_answer_of_another_vendor() -> None:
    signed = Reasoning(text="because", signature=Signature("anthropic", "EqQB/+=="))
    answer = Answer(
        id="msg_1",
        created=1_700_000_000,
        candidates=[Candidate(parts=[signed, Text(text="Hi"), ToolCall(id="toolu_1", name="f", arguments='{"a":1}')], stop="tool")],
        usage={"input": 5, "cached_read": 7, "cache_write_5m": 2, "cache_write_1h": 1, "output": 9, "reasoning": 4},
    )
    seen = sdk(msgspec.json.encode(told(answer)), "application/json").generate_content(model="m", contents="hi")
    assert seen.text == "Hi"
    assert [(call.id, call.name, call.args) for call in seen.function_calls or []] == [("toolu_1", "f", {"a": 1})]
    usage = seen.usage_metadata
    assert usage is not None
    assert (usage.prompt_token_count, usage.cached_content_token_count) == (15, 7)
    assert (usage.candidates_token_count, usage.thoughts_token_count, usage.total_token_count) == (5, 4, 24)
    assert (seen.model_version, seen.response_id) == ("named-model", "msg_1")


def test_sound_is_counted_apart_on_both_sides() -> None:
    usage = {
        "promptTokenCount": 100,
        "cachedContentTokenCount": 30,
        "toolUsePromptTokenCount": 5,
        "candidatesTokenCount": 40,
        "thoughtsTokenCount": 7,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 60}, {"modality": "TEXT", "tokenCount": 40}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 20}],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 33}],
    }
    buckets = from_gemini(msgspec.convert(usage, GeminiUsage))
    assert buckets == {
        "input": 75,
        "cached_read": 30,
        "cache_write_5m": 0,
        "cache_write_1h": 0,
        "output": 47,
        "reasoning": 7,
        "audio_input": 40,
        "audio_output": 33,
    }
    assert from_gemini(msgspec.convert(to_gemini(buckets), GeminiUsage)) == buckets


def test_counts_that_can_not_be_true_are_not_believed() -> None:
    answer = DIALECT.parse_answer({**body_of({"text": "Hi"}), "usageMetadata": {"promptTokenCount": -1}})
    assert answer.usage == {}


OWN = st.builds(Signature, st.just("gemini"), made.base64_data)
PARTS = (
    made.plain_texts()
    | made.tool_calls()
    | made.sounds
    | st.builds(Image, data=made.base64_data, media_type=st.just("image/png"))
    | st.builds(Text, text=made.texts, signature=OWN)
    | st.builds(Reasoning, text=made.texts, signature=st.none() | OWN)
)


@given(made.answers(part=PARTS, most=3, usage=made.usages(written=False)))
def test_any_answer_is_the_same_when_it_is_read_again(answer: Answer) -> None:
    again = DIALECT.parse_answer(told(answer))
    assert same(msgspec.structs.replace(again, model=answer.model), answer)


# -- errors


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"code": 400, "message": "x", "status": "INVALID_ARGUMENT"}}, "invalid"),
        (400, {"error": {"message": "The input token count (9) exceeds the maximum number of tokens allowed (5)."}}, "context_length"),
        (400, {"error": {"message": "API key not valid", "details": [{"reason": "API_KEY_INVALID"}]}}, "authentication"),
        (401, {"error": {"message": "x"}}, "authentication"),
        (403, {"error": {"message": "x"}}, "permission"),
        (404, {"error": {"message": "x"}}, "not_found"),
        (429, [{"error": {"message": "x", "status": "RESOURCE_EXHAUSTED"}}], "rate_limit"),
        (429, {"error": {"message": "x", "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProject"}]}]}}, "quota"),
        (503, {"error": {"message": "overloaded"}}, "overloaded"),
        (504, {"error": {"message": "x"}}, "timeout"),
        (500, {"error": "plain"}, "server"),
        (418, {"error": {"code": "x", "message": 5, "details": 7}}, "invalid"),
    ],
)
def test_an_error_is_known_by_what_it_means(status: int, body: Any, kind: str) -> None:
    failure = DIALECT.parse_error(status, msgspec.json.encode(body))
    assert (failure.status, failure.kind) == (status, kind)
    assert failure.message


@given(
    st.integers(400, 599),
    st.binary() | made.json_values.map(msgspec.json.encode) | made.json_objects.map(lambda value: msgspec.json.encode({"error": value})),
)
def test_any_body_under_an_error_status_is_a_failure(status: int, body: bytes) -> None:
    failure = DIALECT.parse_error(status, body)
    assert failure.status == status
    again = msgspec.json.decode(DIALECT.render_error(failure, "req_9"))["error"]
    assert (again["code"], again["details"][0]["metadata"]) == (status, {"request_id": "req_9"})


def test_a_page_of_a_proxy_is_told_in_part() -> None:
    failure = DIALECT.parse_error(502, b"<html>" + b"x" * 100_000)
    assert failure.message.startswith("<html>")
    assert len(failure.message) == 1000
    assert DIALECT.parse_error(502, b"").message == "The upstream answered 502 and no more."
