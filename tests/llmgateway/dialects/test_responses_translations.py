"""Requests of other dialects, written as OpenAI Responses: what has no place is named, and nothing is stored for them."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Audio,
    Cache,
    File,
    Image,
    Json,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.conversation.request import AudioOut, Format, Message, Request, Thinking, Tool, ToolChoice, VendorTool
from tests.llmgateway.dialects.responses_kit import BY_SLUG, rendered, target

NAMED = {"max_output": "max_tokens", "stop": "stop_sequences", "top_k": "top_k", "thinking": "thinking", "user": "metadata.user_id"}


def asking(*parts: AnyPart, **slots: Any) -> Request:
    message = Message(role="user", parts=list(parts) or [Text(text="Hi")], at="messages[0]")
    return Request(model="m", messages=[message], named=dict(NAMED), **slots)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"top_k": 5}, "top_k"),
    ({"min_p": 0.1}, "min_p"),
    ({"stop": ["x"]}, "stop_sequences"),
    ({"seed": 1}, "seed"),
    ({"presence_penalty": 0.5}, "presence_penalty"),
    ({"frequency_penalty": 0.5}, "frequency_penalty"),
    ({"logit_bias": {"1": 2}}, "logit_bias"),
    ({"answers": 2}, "answers"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"audio": AudioOut(voice="alloy", format="mp3")}, "audio"),
    ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
    ({"extra": {"container": "c"}}, "container"),
    ({"tools": [VendorTool(vendor="anthropic", kind="bash_20250124", raw={}, at="tools[0]")]}, "tools[0]"),
]


@pytest.mark.parametrize(("slots", "field"), REFUSED, ids=[field for _, field in REFUSED])
def test_a_slot_without_a_field_is_named_as_its_caller_wrote_it(slots: dict[str, Any], field: str) -> None:
    _, losses = rendered(asking(**slots))

    assert losses.fields == [field]
    assert losses.target == "openai-responses at OpenAI"


SAYS_NOTHING: list[dict[str, Any]] = [{"presence_penalty": 0}, {"frequency_penalty": 0.0}, {"answers": 1}, {"modalities": ["text"]}]


@pytest.mark.parametrize("slots", SAYS_NOTHING)
def test_a_slot_that_holds_what_is_usual_is_no_loss(slots: dict[str, Any]) -> None:
    assert rendered(asking(**slots))[1].fields == []


AT = "messages[0].content[0]"
LOST: list[AnyPart] = [
    Special(vendor="anthropic", kind="server_tool_use", raw={}, at=AT),
    Image(file_id="file_anthropic", at=AT),
    Image(url="gs://bucket/a.png", at=AT),
    File(file_id="file_anthropic", at=AT),
    File(url="gs://bucket/a.pdf", at=AT),
    Audio(url="https://example.com/a.mp3", at=AT),
    Audio(data="AAAA", media_type="audio/flac", at=AT),
    Refused(text="No", at=AT),
]


@pytest.mark.parametrize("part", LOST, ids=lambda part: f"{type(part).__name__}")
def test_a_part_that_has_no_place_is_named_by_where_it_stood(part: AnyPart) -> None:
    body, losses = rendered(asking(part, Text(text="Hi")))

    assert losses.fields == [AT]
    assert body["input"] == [{"role": "user", "content": "Hi"}]


def test_what_a_document_asks_beyond_its_content_is_named() -> None:
    part = File(data="AAAA", media_type="application/pdf", context="c", citations=True, at=AT)
    body, losses = rendered(asking(part))

    assert losses.fields == [f"{AT}.context", f"{AT}.citations"]
    data = "data:application/pdf;base64,AAAA"
    assert body["input"][0]["content"] == [{"type": "input_file", "filename": "document.pdf", "file_data": data}]


def test_a_text_given_as_a_document_is_a_text_file() -> None:
    body, losses = rendered(asking(File(text="plain", title="a.txt", at=AT)))

    assert losses.fields == []
    assert body["input"][0]["content"][0]["file_data"] == "data:text/plain;base64,cGxhaW4="


HINTED: list[tuple[Request, list[str]]] = [
    (asking(Text(text="Hi", cache=Cache(), at=AT)), [f"{AT}.cache_control"]),
    (asking(ToolResult(call_id="c", content=[Text(text="x")], is_error=True, at=AT)), [f"{AT}.is_error"]),
    (asking(cache=Cache()), ["cache"]),
    (asking(service_tier="standard_only"), ["service_tier"]),
    (asking(thinking=Thinking(enabled=True, budget=2000)), ["thinking"]),
    (asking(hints={"container_hint": 1}), ["container_hint"]),
    (asking(system=[Text(text="S", cache=Cache("1h"), at="system[0]")]), ["system[0].cache_control"]),
    (asking(tools=[Tool(name="f", cache=Cache(), at="tools[0]")]), ["tools[0].cache_control"]),
]


@pytest.mark.parametrize(("wanted", "hints"), HINTED, ids=[hints[0] for _, hints in HINTED])
def test_what_changes_nothing_about_the_question_is_left_out_and_told(wanted: Request, hints: list[str]) -> None:
    _, losses = rendered(wanted)

    assert (losses.fields, losses.hints) == ([], hints)


def said(*parts: AnyPart) -> Request:
    return Request(messages=[Message(role="assistant", parts=list(parts), at="messages[0]"), Message(role="user", parts=[Text(text="?")])])


def test_reasoning_goes_back_to_its_own_vendor_only() -> None:
    own = Reasoning(text="shown", signature=Signature("openai-responses", "gAAA"), at="messages[0].content[0]")
    foreign = Reasoning(text="shown", signature=Signature("anthropic", "sig"), at="messages[0].content[1]")
    plain = Reasoning(text="shown", at="messages[0].content[2]")
    body, losses = rendered(said(own, foreign, plain, Text(text="So")))

    assert body["input"][0] == {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    assert [item.get("role") for item in body["input"][1:]] == ["assistant", "user"]
    assert (losses.fields, losses.hints) == ([], [foreign.at, plain.at])


def test_an_engine_that_takes_readable_reasoning_gets_it() -> None:
    body, losses = rendered(said(Reasoning(text="shown", at=AT), Text(text="So")), target("deepseek-v4", BY_SLUG["deepseek"]))

    assert body["input"][0]["content"] == [{"type": "reasoning_text", "text": "shown"}]
    assert losses.hints == []


@pytest.mark.parametrize(("model", "encrypted"), [("gpt-5.2", True), ("o4-mini", True), ("gpt-4.1", False), ("gpt-5-chat-latest", False)])
def test_nothing_is_stored_and_reasoning_is_asked_for_encrypted(model: str, encrypted: bool) -> None:
    body, _ = rendered(asking(), target(model))

    assert body["store"] is False
    assert ("reasoning.encrypted_content" in body.get("include", [])) is encrypted


def test_an_openai_chat_keeps_what_its_vendor_calls_alike() -> None:
    request = asking(hints={"metadata": {"a": "b"}, "store": True, "prediction_hint": 1})
    request.named["answers"] = "n"
    body, losses = rendered(request)

    assert (body["metadata"], body["store"]) == ({"a": "b"}, True)
    assert losses.hints == ["prediction_hint"]
    assert "metadata" not in rendered(asking(hints={"metadata": {"user_id": "u"}}))[0]


def test_a_vendor_of_this_dialect_refuses_what_it_lacks() -> None:
    facts = BY_SLUG["deepseek"]._replace(lacks=frozenset({"image", "json_schema"}))
    request = asking(Image(data="AAAA", media_type="image/png", at=AT), Text(text="?"), format=Format("schema", schema={}))
    _, losses = rendered(request, target("deepseek-v4", facts))

    assert losses.fields == [AT, "format"]
    assert losses.target == "openai-responses at DeepSeek"


def test_a_vendor_of_this_dialect_takes_what_it_adds() -> None:
    body, losses = rendered(asking(top_k=5), target("m", BY_SLUG["openrouter"]))

    assert (body["top_k"], losses.fields) == (5, [])


@pytest.mark.parametrize(
    ("thinking", "reasoning"),
    [
        (Thinking(effort="xhigh", show="auto"), {"effort": "xhigh", "summary": "auto"}),
        (Thinking(enabled=False), {"effort": "none"}),
        (Thinking(budget=0), {"effort": "none"}),
        (Thinking(budget=3000), {"effort": "low"}),
        (Thinking(enabled=True, budget=10_000), {"effort": "medium"}),
        (Thinking(budget=60_000, show="full"), {"effort": "high", "summary": "detailed"}),
        (Thinking(budget=-1), None),
        (Thinking(enabled=True, adaptive=True, show="none"), None),
    ],
)
def test_how_much_to_think_is_an_effort(thinking: Thinking, reasoning: Json) -> None:
    assert rendered(asking(thinking=thinking))[0].get("reasoning") == reasoning


def test_a_function_of_another_dialect_is_not_strict_unless_it_says_so() -> None:
    tools: list[Tool | VendorTool] = [Tool(name="a"), Tool(name="b", schema={"type": "object"}, strict=True, description="d")]
    body, _ = rendered(asking(tools=tools, tool_choice=ToolChoice("any", ["a", "b"]), parallel_tools=False))

    assert body["tools"] == [
        {"type": "function", "name": "a", "parameters": {"type": "object", "properties": {}}, "strict": False},
        {"type": "function", "name": "b", "description": "d", "parameters": {"type": "object"}, "strict": True},
    ]
    names = [{"type": "function", "name": name} for name in ("a", "b")]
    assert body["tool_choice"] == {"type": "allowed_tools", "mode": "required", "tools": names}
    assert body["parallel_tool_calls"] is False


def test_results_and_words_of_one_turn_are_items_in_their_order() -> None:
    call = ToolCall(id="toolu_1", name="f", at="messages[0].content[0]")
    result = ToolResult(
        call_id="toolu_1", content=[Text(text="a"), Image(data="AAAA", media_type="image/png")], at="messages[1].content[0]"
    )
    request = Request(
        messages=[
            Message(role="assistant", parts=[call], at="messages[0]"),
            Message(role="user", parts=[result, Text(text="And?", at="messages[1].content[1]")], at="messages[1]"),
        ],
        system=[Text(text="One"), Text(text="Two")],
    )
    body, losses = rendered(request)

    image = {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"}
    assert losses.fields == []
    assert body["instructions"] == "One\n\nTwo"
    assert body["input"] == [
        {"type": "function_call", "call_id": "toolu_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "toolu_1", "output": [{"type": "input_text", "text": "a"}, image]},
        {"role": "user", "content": "And?"},
    ]
