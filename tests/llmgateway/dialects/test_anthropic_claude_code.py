"""What Claude Code sends with every call, on its own vendor's model and on another's."""

from __future__ import annotations

from typing import Any

from llmgateway.proxy.conversation import seals
from llmgateway.proxy.conversation.parts import (
    Cache,
    Reasoning,
    Signature,
    Text,
    ToolCall,
    ToolResult,
    same,
)
from llmgateway.proxy.conversation.request import Thinking, Tool
from llmgateway.proxy.dialects.anthropic_messages.count import render_count
from tests.llmgateway.dialects.anthropic_kit import parsed, rendered, target

PIXEL = "iVBORw0KGgoAAAANSUhEUg=="
CLAUDE_CODE: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 32000,
    "stream": True,
    "temperature": 1,
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "metadata": {"user_id": "user_5b1e_account__session_0f"},
    "betas": ["interleaved-thinking-2025-05-14", "context-management-2025-06-27"],
    "system": [
        {"type": "text", "text": "x-billing: cli"},
        {"type": "text", "text": "You are a coding agent.", "cache_control": {"type": "ephemeral", "ttl": "1h", "scope": "global"}},
    ],
    "tools": [
        {
            "name": "Bash",
            "description": "Runs a command. " * 200,
            "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {"command": {"type": "string"}, "timeout": {"type": "number"}},
                "required": ["command"],
                "additionalProperties": False,
            },
            "eager_input_streaming": True,
        },
        {
            "name": "Read",
            "description": "Reads a file.",
            "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
            "defer_loading": True,
            "cache_control": {"type": "ephemeral"},
        },
    ],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "<system-reminder>Today is Friday.</system-reminder>"},
                {"type": "text", "text": "Why does the build fail?", "cache_control": {"type": "ephemeral"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Two files.", "signature": "ch1.openai-responses.reasoning.gAAA"},
                {"type": "redacted_thinking", "data": "ch1.gemini.part.sig=="},
                {
                    "type": "tool_use",
                    "id": "call_1",
                    "name": "Bash",
                    "input": {"command": "make"},
                    "caller": {"type": "direct"},
                },
                {"type": "tool_use", "id": "call_2", "name": "Read", "input": {"path": "Makefile"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "make: *** error 2", "is_error": True},
                {
                    "type": "tool_result",
                    "tool_use_id": "call_2",
                    "content": [
                        {"type": "text", "text": "all:"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                    ],
                    "cache_control": {"type": "ephemeral"},
                },
            ],
        },
    ],
}


def test_what_claude_code_sends_with_every_call_forces_no_refusal_anywhere() -> None:
    request = parsed(CLAUDE_CODE)

    assert request.extra == {}
    assert set(request.hints) == {
        "context_management",
        "betas",
        "system[1].cache_control.scope",
        "tools[0].eager_input_streaming",
        "tools[1].defer_loading",
        "messages[1].content[2].caller",
    }
    assert request.user == "user_5b1e_account__session_0f"
    assert request.thinking == Thinking(enabled=True, adaptive=True, effort="high", show="auto")
    assert request.system[1].cache == Cache("1h")
    tools = [tool for tool in request.tools if isinstance(tool, Tool)]
    assert [tool.cache for tool in tools] == [None, Cache()]


def test_signatures_of_other_vendors_come_back_to_their_parts() -> None:
    said = parsed(CLAUDE_CODE).messages[1].parts

    assert same(
        said,
        [
            Reasoning(text="Two files.", signature=Signature("openai-responses", "gAAA")),
            ToolCall(id="call_1", name="Bash", arguments='{"command":"make"}', signature=Signature("gemini", "sig==")),
            ToolCall(id="call_2", name="Read", arguments='{"path":"Makefile"}'),
        ],
    )


def test_a_tool_result_knows_the_tool_that_was_called() -> None:
    results = parsed(CLAUDE_CODE).messages[2].parts

    assert [(part.call_id, part.name, part.is_error) for part in results if isinstance(part, ToolResult)] == [
        ("call_1", "Bash", True),
        ("call_2", "Read", False),
    ]
    assert results[0].at == "messages[2].content[0]"


def test_a_late_signature_belongs_to_the_part_before_and_a_lone_one_to_an_empty_text() -> None:
    gemini = Signature("gemini", "s")
    content = [
        {"type": "text", "text": "Hi."},
        {"type": "redacted_thinking", "data": seals.wrap(gemini, "prior")},
        {"type": "redacted_thinking", "data": seals.wrap(gemini, "text")},
    ]
    request = parsed({"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}]})

    assert same(request.messages[1].parts, [Text(text="Hi.", signature=gemini), Text(text="", signature=gemini)])


def test_claude_codes_call_goes_back_to_anthropic_without_what_others_signed() -> None:
    body, losses = rendered(parsed(CLAUDE_CODE), "claude-opus-4-8")

    assert losses.fields == []
    assert losses.hints == ["messages[1].content[0]", "messages[1].content[2].signature", "betas"]
    assert [one["type"] for one in body["messages"][1]["content"]] == ["tool_use", "tool_use"]
    assert body["messages"][1]["content"][0]["caller"] == {"type": "direct"}
    assert body["context_management"] == CLAUDE_CODE["context_management"]
    assert body["thinking"] == CLAUDE_CODE["thinking"]
    assert body["output_config"] == CLAUDE_CODE["output_config"]
    assert body["system"][1]["cache_control"] == {"type": "ephemeral", "ttl": "1h", "scope": "global"}


def test_a_count_has_only_what_makes_the_prompt() -> None:
    request = parsed({**CLAUDE_CODE, "temperature": 0.5, "top_k": 3})
    to = target("claude-opus-4-8")
    _, losses = rendered(request, "claude-opus-4-8")
    assert losses.fields == ["temperature", "top_k"]

    counting = type(losses)(to.label)
    body = render_count(request, to, counting)

    assert counting.fields == []
    assert set(body) == {"model", "messages", "system", "tools", "thinking", "output_config", "context_management"}
