"""Requests of other dialects, written for Gemini and Vertex; what can't be said to them is named."""

from __future__ import annotations

from typing import Any

import pytest

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import (
    Audio,
    Cache,
    File,
    Image,
    Reasoning,
    Refused,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.conversation.request import (
    DEVELOPER,
    AudioOut,
    Format,
    Message,
    Thinking,
    Tool,
    ToolChoice,
    VendorTool,
)
from tests.llmgateway.dialects.gemini_kit import VERTEX, conversation, model, target, user, written


def test_a_conversation_of_another_dialect_is_written_as_google_expects_it() -> None:
    request = conversation(
        user(Text(text="Look", cache=Cache(), at="messages[0].content[0]")),
        user(Image(url="https://example.com/cat.PNG"), File(text="words", title="a.txt")),
        model(Text(text="I call."), ToolCall(id="toolu_1", name="look", arguments=' {"a": 1} ')),
        user(ToolResult(call_id="toolu_1", content=[Text(text='{"b":2}'), Image(data="AAAA", media_type="image/png")])),
        system=[Text(text="Brief.")],
        tools=[Tool(name="look", schema={"type": "object", "$defs": {"x": {"const": 1}}}, strict=True, at="tools[0]")],
        tool_choice=ToolChoice("any", ["look", "hear"]),
        format=Format("schema", {"type": "object"}, name="shape"),
        max_output=5,
        parallel_tools=False,
        user="u1",
        named={"user": "metadata.user_id", "parallel_tools": "parallel_tool_calls"},
    )
    body, losses = written(request)
    assert body == {
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Look"},
                    {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/cat.PNG"}},
                    {"inlineData": {"mimeType": "text/plain", "data": "d29yZHM=", "displayName": "a.txt"}},
                ],
            },
            {"role": "model", "parts": [{"text": "I call."}, {"functionCall": {"id": "toolu_1", "name": "look", "args": {"a": 1}}}]},
            {
                "role": "user",
                "parts": [
                    {
                        "functionResponse": {
                            "id": "toolu_1",
                            "name": "look",
                            "response": {"b": 2},
                            "parts": [{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}],
                        }
                    }
                ],
            },
        ],
        "systemInstruction": {"parts": [{"text": "Brief."}]},
        "tools": [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": {"type": "object", "$defs": {"x": {"const": 1}}}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look", "hear"]}},
        "generationConfig": {"maxOutputTokens": 5, "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"}},
    }
    assert losses.fields == []
    assert losses.hints == ["messages[0].content[0].cache_control", "tools[0].strict", "metadata.user_id", "parallel_tool_calls"]


PLACE = "messages[7].content[1]"


@pytest.mark.parametrize("parts", [[], [Text(text="")]], ids=["none", "an empty one"])
def test_a_message_without_parts_says_an_empty_text(parts: list[Any]) -> None:
    body, losses = written(conversation(user(*parts)))
    assert body["contents"] == [{"role": "user", "parts": [{"text": ""}]}]
    assert losses.fields == []


def test_an_empty_text_beside_a_call_is_left_out() -> None:
    body, losses = written(conversation(user(Text(text="Hi")), model(Text(text=""), ToolCall(id="a", name="f"))))
    assert body["contents"][1]["parts"] == [{"functionCall": {"id": "a", "name": "f", "args": {}}}]
    assert losses.fields == []


def test_a_message_of_nothing_but_foreign_thoughts_is_left_out() -> None:
    body, losses = written(conversation(user(Text(text="Hi")), model(Reasoning(text="hm", at=PLACE)), user(Text(text="Go"))))
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "Go"}]}]
    assert losses.hints == [PLACE]


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (Image(url="https://example.com/cat", at=PLACE), "its address does not show it"),
        (Image(file_id="file-1", at=PLACE), "kept at another vendor"),
        (Audio(audio_id="audio-1", at=PLACE), "kept at another vendor"),
        (File(data="AAAA", at=PLACE), "its media type is not told"),
        (ToolCall(id="a", name="f", arguments="[1]", at=PLACE), "its arguments are no JSON object"),
        (ToolCall(id="a", name="f", arguments='{"a":', at=PLACE), "its arguments are no JSON object"),
        (ToolCall(id="a", name="f", arguments="free", custom=True, at=PLACE), "a tool's input must be a JSON object"),
        (ToolResult(call_id="gone", content=[Text(text="1")], at=PLACE), "the call that it answers is not in the conversation"),
        (Special(vendor="anthropic", kind="server_tool_use", raw={}, at=PLACE), "server_tool_use is another vendor's own"),
    ],
)
def test_a_part_that_google_can_not_be_told_is_named(part: Any, why: str) -> None:
    body, losses = written(conversation(user(Text(text="Hi"), part)))
    assert losses.fields == [PLACE]
    with pytest.raises(BadRequest) as refused:
        losses.check(allowed=False)
    assert refused.value.param == PLACE
    assert why in refused.value.message
    assert "gemini at Google Gemini" in refused.value.message
    assert body["contents"][0]["parts"] == [{"text": "Hi"}]


@pytest.mark.parametrize(
    ("slots", "field"),
    [
        ({"min_p": 0.1}, "min_p"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"audio": AudioOut(voice="Kore", format="mp3")}, "audio.format"),
        ({"extra": {"web_search_options": {}}}, "web_search_options"),
        ({"tools": [Tool(name="t", custom=True, at="tools[0]")]}, "tools[0]"),
        ({"tools": [VendorTool(vendor="anthropic", kind="bash", raw={}, at="tools[1]")]}, "tools[1]"),
        ({"tool_choice": ToolChoice("auto", ["a"])}, "tool_choice"),
        ({"thinking": Thinking(effort="enormous")}, "thinking"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_slot_that_google_lacks_is_named(slots: dict[str, Any], field: str) -> None:
    _, losses = written(conversation(user(Text(text="Hi")), named={"verbosity": "text.verbosity"}, **slots), target("gemini-3-pro"))
    assert losses.fields == [field]


def test_instructions_in_the_middle_of_a_conversation_are_named() -> None:
    late = Message(role=DEVELOPER, parts=[Text(text="Now in French.")], at="messages[1]")
    body, losses = written(conversation(user(Text(text="Hi")), late, user(Text(text="Go"))))
    assert losses.fields == ["messages[1]"]
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hi"}, {"text": "Go"}]}]


def test_a_vendor_that_lacks_something_is_not_sent_it() -> None:
    lacking = target()._replace(facts=VERTEX._replace(lacks=frozenset({"image_url", "seed"})))
    request = conversation(user(Image(url="https://example.com/a.png", at=PLACE)), seed=3)
    body, losses = written(request, lacking)
    assert losses.fields == [PLACE, "seed"]
    assert "generationConfig" not in body


def test_what_came_in_another_dialect_is_never_put_into_the_body() -> None:
    request = conversation(user(Text(text="Hi")), extra={"safetySettings": []}, hints={"metadata": {"a": "b"}})
    body, losses = written(request)
    assert (losses.fields, losses.hints) == (["safetySettings"], ["metadata"])
    assert set(body) == {"contents"}


@pytest.mark.parametrize(
    ("name", "thinking", "config", "hinted"),
    [
        ("gemini-2.5-pro", Thinking(effort="medium"), {"thinkingBudget": 8192}, False),
        ("gemini-2.5-flash", Thinking(effort="none"), {"thinkingBudget": 0}, False),
        ("gemini-2.5-flash", Thinking(enabled=False), {"thinkingBudget": 0}, False),
        ("gemini-2.5-flash", Thinking(enabled=True, budget=2048), {"thinkingBudget": 2048, "includeThoughts": True}, False),
        ("gemini-2.5-flash", Thinking(adaptive=True), {"thinkingBudget": -1, "includeThoughts": True}, False),
        ("gemini-3-pro-preview", Thinking(effort="high", show="none"), {"thinkingLevel": "HIGH", "includeThoughts": False}, False),
        ("gemini-3-pro-preview", Thinking(effort="max"), {"thinkingLevel": "HIGH"}, True),
        ("gemini-3-pro-preview", Thinking(enabled=False), {"thinkingLevel": "LOW"}, True),
        ("models/gemini-3-flash", Thinking(effort="none"), {"thinkingLevel": "MINIMAL"}, True),
        ("gemini-3-flash", Thinking(enabled=True, budget=4096), {"thinkingBudget": 4096, "includeThoughts": True}, False),
        ("gemini-3-flash", Thinking(adaptive=True), {"includeThoughts": True}, False),
    ],
)
def test_thinking_is_written_as_the_model_takes_it(name: str, thinking: Thinking, config: dict[str, Any], hinted: bool) -> None:
    body, losses = written(conversation(user(Text(text="Hi")), thinking=thinking), target(name))
    assert body["generationConfig"]["thinkingConfig"] == config
    assert (losses.fields, losses.hints) == ([], ["thinking"] if hinted else [])


@pytest.mark.parametrize(("tier", "told", "hints"), [("flex", "flex", []), ("auto", None, []), ("scale", None, ["service_tier"])])
def test_a_service_tier_is_passed_where_google_has_it(tier: str, told: str | None, hints: list[str]) -> None:
    body, losses = written(conversation(user(Text(text="Hi")), service_tier=tier))
    assert (body.get("serviceTier"), losses.hints) == (told, hints)


def test_a_refusal_in_a_history_is_told_as_what_was_said() -> None:
    body, losses = written(conversation(user(Text(text="Hi")), model(Refused(text="No."))))
    assert body["contents"][1] == {"role": "model", "parts": [{"text": "No."}]}
    assert losses.fields == []
