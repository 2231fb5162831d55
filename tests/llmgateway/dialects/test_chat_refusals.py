"""What a vendor of OpenAI's chat dialect can't be asked is named as its caller wrote it, with the target."""

from __future__ import annotations

from typing import Any

import pytest

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Audio,
    Cache,
    Citation,
    File,
    Image,
    Reasoning,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.conversation.request import AudioOut, Format, Message, Request, Thinking, Tool, ToolChoice, VendorTool
from llmgateway.proxy.dialects.openai_chat.codec import DIALECT
from tests.llmgateway.dialects.chat_kit import target

AT = "messages[0].content[0]"
SOME = [Tool(name=name) for name in ("f", "g", "h")]


def losses_of(request: Request, vendor: str) -> Losses:
    made = target(vendor)
    losses = Losses(made.label)
    DIALECT.render_request(request, made, losses)
    return losses


def user(part: AnyPart) -> Request:
    return Request(messages=[Message(role="user", parts=[part])])


@pytest.mark.parametrize(
    ("part", "vendor", "field"),
    [
        (Image(url="https://example.com/a.png", at=AT), "ollama", AT),
        (Image(file_id="file-1", at=AT), "openai", AT),
        (Audio(data="aGk=", media_type="audio/ogg", at=AT), "openai", AT),
        (Audio(url="https://example.com/a.mp3", at=AT), "openai", AT),
        (Audio(data="aGk=", media_type="audio/wav", at=AT), "groq", AT),
        (File(url="https://example.com/a.pdf", at=AT), "openai", AT),
        (File(data="aGk=", media_type="application/pdf", at=AT), "cerebras", AT),
        (File(file_id="file-1", at=AT), "groq", AT),
        (File(data="aGk=", media_type="video/mp4", at=AT), "openai", AT),
        (File(text="Hi", context="a letter", at=AT), "openai", f"{AT}.context"),
        (File(text="Hi", citations=True, at=AT), "openai", f"{AT}.citations"),
        (Special(vendor="anthropic", kind="server_tool_use", raw={}, at=AT), "openai", AT),
        (ToolResult(call_id="c", content=[Image(url="https://example.com/a.png", at=f"{AT}.x")], at=AT), "ollama", f"{AT}.x"),
    ],
)
def test_a_part_that_can_not_be_sent_is_named(part: AnyPart, vendor: str, field: str) -> None:
    losses = losses_of(user(part), vendor)

    assert losses.fields == [field]
    with pytest.raises(BadRequest) as refusal:
        losses.check(allowed=False)
    assert refusal.value.param == field
    assert target(vendor).label in refusal.value.message


@pytest.mark.parametrize(
    ("slots", "vendor", "field"),
    [
        ({"top_k": 5}, "openai", "top_k"),
        ({"logit_bias": {"1": 2}}, "groq", "logit_bias"),
        ({"answers": 2}, "deepseek", "candidateCount"),
        ({"presence_penalty": 0.5}, "cerebras", "presence_penalty"),
        ({"format": Format("schema", schema={})}, "deepseek", "response_format"),
        ({"audio": AudioOut(voice="a")}, "groq", "audio"),
        ({"tools": [Tool(name="f", custom=True, at="tools[0]")]}, "groq", "tools[0]"),
        ({"tools": [VendorTool(vendor="anthropic", kind="bash", raw={}, at="tools[0]")]}, "openai", "tools[0]"),
        ({"tools": SOME, "tool_choice": ToolChoice("any", ["f", "g"])}, "groq", "tool_choice"),
        ({"extra": {"container": "x"}}, "openai", "container"),
    ],
)
def test_a_slot_that_can_not_be_asked_is_named_as_its_caller_calls_it(slots: dict[str, Any], vendor: str, field: str) -> None:
    request = Request(named={"answers": "candidateCount", "format": "response_format"}, **slots)

    assert losses_of(request, vendor).fields == [field]


@pytest.mark.parametrize(
    ("slots", "vendor"),
    [({"answers": 1}, "deepseek"), ({"presence_penalty": 0}, "cerebras"), ({"logprobs": False}, "groq"), ({"min_p": 0}, "openai")],
)
def test_what_would_happen_anyway_is_no_loss(slots: dict[str, Any], vendor: str) -> None:
    assert losses_of(Request(**slots), vendor).fields == []


@pytest.mark.parametrize(
    ("slots", "vendor", "hint"),
    [
        ({"user": "u"}, "mistral", "metadata.user_id"),
        ({"service_tier": "standard_only"}, "openai", "service_tier"),
        ({"cache_key": "k"}, "groq", "cache_key"),
        ({"cache": Cache()}, "openai", "cache"),
        ({"hints": {"labels": {"a": "b"}}}, "openai", "labels"),
        ({"hints": {"stream_options.include_obfuscation": True}}, "openai", "stream_options.include_obfuscation"),
        ({"thinking": Thinking(effort="low", show="full")}, "openai", "thinking.show"),
        ({"thinking": Thinking(effort="low")}, "zai", "thinking"),
    ],
)
def test_what_changes_nothing_of_what_is_asked_is_told_and_not_refused(slots: dict[str, Any], vendor: str, hint: str) -> None:
    losses = losses_of(Request(named={"user": "metadata.user_id"}, **slots), vendor)

    assert (losses.fields, losses.hints) == ([], [hint])


@pytest.mark.parametrize(
    ("part", "hint"),
    [
        (Text(text="Hi", cache=Cache(), at=AT), f"{AT}.cache_control"),
        (ToolCall(id="c", name="f", arguments="{}", cache=Cache(), at=AT), f"{AT}.cache_control"),
        (Reasoning(text="Hm.", at=AT), AT),
        (Text(text="Hi", citations=[Citation(kind="url", url="https://example.com")], at=AT), f"{AT}.citations"),
    ],
)
def test_marks_and_earlier_reasoning_are_left_out_where_they_have_no_place(part: AnyPart, hint: str) -> None:
    losses = losses_of(Request(messages=[Message(role="assistant", parts=[part])]), "openai")

    assert (losses.fields, losses.hints) == ([], [hint])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ([], None),
        ({}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "robot"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 1}]}]}, "messages[0].content[0].image_url"),
        ({"messages": [{"role": "tool", "content": "2"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}, "messages[0].tool_calls[0].function"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"type": "x"}]}]}, "messages[0].tool_calls[0].type"),
        ({"messages": [{"role": "assistant", "reasoning_details": [{}]}]}, "messages[0].reasoning_details[0].type"),
        ({"messages": [], "temperature": "hot"}, "temperature"),
        ({"messages": [], "n": True}, "n"),
        ({"messages": [], "stop": [1]}, "stop"),
        ({"messages": [], "stream": "yes"}, "stream"),
        ({"messages": [], "tools": [{"type": "function"}]}, "tools[0].function"),
        ({"messages": [], "tool_choice": "sometimes"}, "tool_choice"),
        ({"messages": [], "response_format": "json"}, "response_format"),
        ({"messages": [], "reasoning": "high"}, "reasoning"),
    ],
)
def test_a_field_of_a_wrong_type_is_named(body: Any, param: str | None) -> None:
    with pytest.raises(BadRequest) as refusal:
        DIALECT.parse_request(body, "", False)

    assert (refusal.value.param, refusal.value.code) == (param, "invalid_type")
