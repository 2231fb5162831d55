"""A whole answer, as callers of OpenAI's chat dialect are told it, and what they send back of it."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from llmgateway.proxy.conversation.answer import Answer, Candidate
from llmgateway.proxy.conversation.parts import Audio, Citation, Image, Reasoning, Signature, Text, ToolCall, same
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT
from tests.llmgateway.dialects.chat_kit import asked, replayed


def rendered(*parts: Any, stop: str = "end", body: Any = None, **more: Any) -> Any:
    made = DIALECT.render_answer(Answer(candidates=[Candidate(parts=list(parts), stop=stop)], **more), asked(body=body))
    ChatCompletion.model_validate(made)
    return made


def message(*parts: Any) -> Any:
    return rendered(*parts)["choices"][0]["message"]


def test_an_answer_without_id_and_time_has_those_of_the_call() -> None:
    made = rendered(Text(text="Hi"))

    assert (made["id"], made["created"], made["model"]) == ("chatcmpl-0000-1111", 1_700_000_000, "some-model")
    assert "usage" not in made


@pytest.mark.parametrize(
    ("stop", "word"),
    [("end", "stop"), ("sequence", "stop"), ("pause", "stop"), ("length", "length"), ("tool", "tool_calls"), ("filter", "content_filter")],
)
def test_every_stop_has_a_word(stop: str, word: str) -> None:
    assert rendered(Text(text="Hi"), stop=stop)["choices"][0]["finish_reason"] == word


@pytest.mark.parametrize(
    ("word", "native", "stop", "own"),
    [
        ("stop", None, "end", ""),
        ("model_length", None, "length", ""),
        ("content_filter", "SAFETY", "filter", "SAFETY"),
        ("eos", None, "end", "eos"),
        ("stop", "stop", "end", ""),
        (None, None, "", ""),
    ],
)
def test_vendors_words_for_a_stop_are_understood(word: str | None, native: str | None, stop: str, own: str) -> None:
    body = {"id": "x", "choices": [{"message": {"content": "Hi"}, "finish_reason": word, "native_finish_reason": native}]}

    candidate = DIALECT.parse_answer(body).candidates[0]

    assert (candidate.stop, candidate.native_stop) == (stop, own)


def test_sources_are_counted_from_the_beginning_of_the_message() -> None:
    source = Citation(kind="search", url="https://example.com", title="T", quote="said", start=1, end=2)

    made = message(Text(text="abc"), Text(text="de", citations=[source]), Text(text="f", citations=[Citation(kind="document", document=0)]))

    inner = {"url": "https://example.com", "title": "T", "start_index": 4, "end_index": 5, "content": "said"}
    assert made["content"] == "abcdef"
    assert made["annotations"] == [{"type": "url_citation", "url_citation": inner}]


def test_images_and_sound_are_told_where_vendors_of_the_dialect_tell_them() -> None:
    made = message(Image(data="aGk=", media_type="image/png"), Audio(data="aGk=", transcript="Hi"))

    assert made["images"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]
    assert made["audio"] == {"id": "audio_0000-1111", "data": "aGk=", "transcript": "Hi", "expires_at": 1_700_000_000}


def test_callers_with_functions_are_told_a_function_call() -> None:
    made = rendered(ToolCall(id="c", name="f", arguments='{"a":1}'), stop="tool", body={"functions": [{"name": "f"}]})

    choice = made["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a":1}'}
    assert choice["finish_reason"] == "function_call"
    assert "tool_calls" not in choice["message"]


def test_reasoning_that_only_may_be_read_is_told_as_text_alone() -> None:
    made = message(Reasoning(text="Hm."), Text(text="4"))

    assert made["reasoning_content"] == "Hm."
    assert "reasoning_details" not in made


def test_reasoning_between_calls_comes_back_between_them() -> None:
    said = [
        Reasoning(text="One", signature=Signature("anthropic", "s1")),
        Text(text="I look. "),
        ToolCall(id="a", name="f", arguments="{}"),
        Reasoning(summary=["Two", "Three\n\nFour"], id="rs_1", signature=Signature("openai-responses", "s2")),
        ToolCall(id="b", name="f", arguments="{}", signature=Signature("gemini", "s3")),
        Reasoning(redacted=True, signature=Signature("bedrock", "s4")),
        Text(text="Done.", signature=Signature("gemini", "s5")),
    ]

    assert same(replayed(message(*said), ["a", "b"]), said)


def test_a_tool_that_gave_no_arguments_is_told_an_empty_object() -> None:
    assert message(ToolCall(id="c", name="f"))["tool_calls"][0]["function"]["arguments"] == "{}"


def test_what_has_no_slot_is_kept_by_its_name() -> None:
    body = {"id": "x", "provider": "P", "choices": [{"message": {"content": "Hi", "executed_tools": [1]}, "finish_reason": "stop"}]}

    assert DIALECT.parse_answer(body).extra == {"provider": "P", "choices[0].message.executed_tools": [1]}
