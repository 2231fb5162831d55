"""What each generation of Claude takes of thinking and of samplers, asked by a conversation of another dialect."""

from __future__ import annotations

from typing import Any

import pytest

from llmgateway.proxy.conversation.parts import Json, Text
from llmgateway.proxy.conversation.request import Message, Request, Thinking, Tool, ToolChoice
from tests.llmgateway.dialects.anthropic_kit import NEW, rendered

NAMED = {"max_output": "max_completion_tokens", "thinking": "reasoning_effort", "answers": "n", "format": "response_format"}
TOOL = Tool(name="f", schema={"type": "object"}, at="tools[0]")


def asking(**slots: Any) -> Request:
    return Request(messages=[Message(role="user", parts=[Text(text="Hi")])], named=NAMED, **slots)


@pytest.mark.parametrize(
    ("model", "wanted", "thinking", "effort", "hints"),
    [
        ("claude-opus-4-8", Thinking(effort="high"), {"type": "adaptive"}, "high", []),
        ("claude-opus-4-6", Thinking(effort="xhigh"), {"type": "adaptive"}, "high", ["reasoning_effort"]),
        ("claude-opus-4-5-20251101", Thinking(effort="minimal"), {"type": "enabled", "budget_tokens": 1024}, "low", []),
        ("claude-sonnet-4-5", Thinking(effort="medium"), {"type": "enabled", "budget_tokens": 8192}, None, []),
        ("claude-haiku-4-5", Thinking(effort="none"), {"type": "disabled"}, None, []),
        ("claude-opus-4-8", Thinking(budget=4000), {"type": "adaptive"}, None, ["reasoning_effort"]),
        ("claude-3-7-sonnet-20250219", Thinking(budget=4000), {"type": "enabled", "budget_tokens": 4000}, None, []),
        ("claude-sonnet-4-20250514", Thinking(budget=-1), {"type": "enabled", "budget_tokens": 8192}, None, []),
        ("claude-opus-5-5", Thinking(budget=0), {"type": "disabled"}, None, []),
        ("claude-fable-5", Thinking(effort="max", show="none"), {"type": "adaptive", "display": "omitted"}, "max", []),
        ("claude-opus-4-8", Thinking(show="auto"), None, None, ["reasoning_effort"]),
        ("claude-opus-4-8", Thinking(effort="utmost"), {"type": "adaptive"}, None, ["reasoning_effort"]),
        ("deepseek-chat", Thinking(effort="low"), {"type": "enabled", "budget_tokens": 1024}, None, []),
    ],
)
def test_thinking_is_asked_for_as_the_generation_takes_it(
    model: str, wanted: Thinking, thinking: Json, effort: str | None, hints: list[str]
) -> None:
    body, losses = rendered(asking(thinking=wanted), model)

    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort
    assert (losses.fields, losses.hints) == ([], hints)


def test_the_maximum_is_always_said_and_leaves_room_for_thinking() -> None:
    asked_budget, _ = rendered(asking(max_output=1000, thinking=Thinking(budget=4000)))
    effort, _ = rendered(asking(max_output=8000, thinking=Thinking(effort="high")))
    tight, losses = rendered(asking(max_output=1500, thinking=Thinking(effort="high")))

    assert rendered(asking())[0]["max_tokens"] == 32_000
    assert rendered(asking(), "claude-3-opus-20240229")[0]["max_tokens"] == 4_096
    assert rendered(asking(max_output=7))[0]["max_tokens"] == 7
    assert (asked_budget["max_tokens"], asked_budget["thinking"]["budget_tokens"]) == (5000, 4000)
    assert (effort["max_tokens"], effort["thinking"]["budget_tokens"]) == (8000, 4000)
    assert (tight["max_tokens"], "thinking" in tight) == (1500, False)
    assert losses.hints == ["reasoning_effort"]


def test_a_forced_tool_goes_before_thinking_that_only_an_effort_implies() -> None:
    body, losses = rendered(asking(tools=[TOOL], tool_choice=ToolChoice("any"), thinking=Thinking(effort="high")), NEW)

    assert "thinking" not in body
    assert body["output_config"] == {"effort": "high"}
    assert losses.fields == []


@pytest.mark.parametrize(
    ("model", "slots", "kept", "lost"),
    [
        ("claude-opus-4-7", {"temperature": 1.0, "top_p": 1.0}, {}, []),
        ("claude-opus-4-7", {"temperature": 0.2, "top_p": 0.5, "top_k": 5}, {}, ["temperature", "top_p", "top_k"]),
        ("claude-sonnet-5", {"temperature": 0}, {}, ["temperature"]),
        ("claude-sonnet-4-6", {"temperature": 1, "top_p": 0.5}, {"top_p": 0.5}, []),
        ("claude-sonnet-4-0", {"temperature": 0.3, "top_p": 0.5, "top_k": 5}, {"temperature": 0.3, "top_p": 0.5, "top_k": 5}, []),
        ("claude-3-7-sonnet-latest", {"temperature": 0.3, "top_p": 0.5}, {"temperature": 0.3, "top_p": 0.5}, []),
        ("claude-mythos-preview", {"top_k": 1}, {}, ["top_k"]),
        ("kimi-k2", {"temperature": 0.3, "top_p": 0.5}, {"temperature": 0.3, "top_p": 0.5}, []),
    ],
)
def test_samplers_are_sent_to_generations_that_take_them(model: str, slots: Json, kept: Json, lost: list[str]) -> None:
    body, losses = rendered(asking(**slots), model)

    assert {name: body[name] for name in ("temperature", "top_p", "top_k") if name in body} == kept
    assert losses.fields == lost
