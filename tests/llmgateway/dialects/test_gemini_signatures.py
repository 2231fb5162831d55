"""Signatures on their way through Gemini: its own come back unchanged, foreign ones sealed, and none reaches the wrong vendor."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.genai import types

from llmgateway.proxy.conversation.parts import (
    Reasoning,
    Signature,
    Text,
    ToolCall,
    ToolResult,
    same,
)
from llmgateway.proxy.dialects.gemini import signatures
from llmgateway.proxy.dialects.gemini.parts_answered import parts_of
from tests.llmgateway.dialects.gemini_kit import conversation, model, parsed, target, user, written

HELLO = {"role": "user", "parts": [{"text": "Hello"}]}


FOREIGN = Signature("anthropic", "EqQBopaque+/==")


@pytest.mark.parametrize(
    "part",
    [
        Reasoning(text="because", signature=FOREIGN),
        Reasoning(redacted=True, signature=FOREIGN),
        Text(text="said", signature=FOREIGN),
        ToolCall(id="a", name="f", arguments="{}", signature=FOREIGN),
    ],
    ids=["reasoning", "redacted", "text", "call"],
)
@pytest.mark.parametrize("urlsafe", [False, True])
def test_a_foreign_signature_is_found_again_when_it_is_replayed(part: Any, urlsafe: bool) -> None:
    (told,) = parts_of(part)
    through_sdk = types.Part.model_validate(told).model_dump(mode="json", exclude_none=True, by_alias=True) if urlsafe else told
    (again,) = parsed({"contents": [{"role": "model", "parts": [through_sdk]}]}).messages[0].parts
    assert same(again, part)


def test_a_seal_that_was_streamed_behind_its_text_seals_all_of_it() -> None:
    sealed = signatures.written(FOREIGN, Reasoning())
    chunks = [
        [{"text": "be", "thought": True}],
        [{"text": "cause", "thought": True}],
        [{"text": "", "thought": True, "thoughtSignature": sealed}],
    ]
    contents = [{"role": "model", "parts": parts} for parts in chunks]
    request = parsed({"contents": [HELLO, *contents, {"role": "model", "parts": [{"text": "So."}]}]})
    assert len(request.messages) == 2
    assert same(request.messages[1].parts, [Reasoning(text="because", signature=FOREIGN), Text(text="So.")])


def test_a_value_that_only_looks_like_a_seal_is_the_vendors_own() -> None:
    value = base64.b64encode(b"ch1.nothing").decode()
    assert signatures.read(value).signature == Signature("gemini", value)
    assert signatures.read("Y2gxL???").signature == Signature("gemini", "Y2gxL???")


def test_a_foreign_signature_never_reaches_google_and_its_thoughts_are_left_out() -> None:
    said = model(Reasoning(text="because", signature=FOREIGN, at="messages[1].content[0]"), ToolCall(id="a", name="f", signature=FOREIGN))
    body, losses = written(conversation(user(Text(text="Hi")), said, user(ToolResult(call_id="a", content=[Text(text="1")]))))
    assert FOREIGN.value not in str(body)
    assert (losses.fields, losses.hints) == ([], ["messages[1].content[0]"])


@pytest.mark.parametrize(("name", "excused"), [("gemini-3-pro-preview", True), ("gemini-2.5-pro", False)])
def test_the_first_call_of_another_vendors_model_is_excused_where_google_checks_it(name: str, excused: bool) -> None:
    said = model(ToolCall(id="a", name="f"), ToolCall(id="b", name="g"))
    body, _ = written(conversation(user(Text(text="Hi")), said), target(name))
    first, second = body["contents"][1]["parts"]
    assert (first.get("thoughtSignature") == signatures.UNCHECKED) is excused
    assert "thoughtSignature" not in second
