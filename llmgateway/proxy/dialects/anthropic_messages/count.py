"""count_tokens: how many tokens a conversation's prompt has."""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.anthropic_messages.request_out import render_request
from llmgateway.proxy.dialects.dialect import Target, Unreadable

COUNTED = frozenset(
    (
        "cache_control",
        "context_management",
        "mcp_servers",
        "messages",
        "model",
        "output_config",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    )
)
"""Members that a count takes. The others do not lengthen a prompt."""

PROMPT = (
    "model",
    "system",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tools",
    "format",
    "thinking",
    "cache",
    "hints",
    "extra",
    "named",
)
"""Slots that make a prompt."""


def render_count(request: Request, target: Target, losses: Losses) -> Json:
    """The body for count_tokens. What a prompt can't say is lost as in a call; what only an answer needs is not looked at."""
    prompt = Request(**{slot: getattr(request, slot) for slot in PROMPT})
    body = render_request(prompt, target, losses)
    return {name: value for name, value in body.items() if name in COUNTED}


def count_answer(input_tokens: int) -> Json:
    return {"input_tokens": input_tokens}


def parse_count(body: Json) -> int:
    """Raises Unreadable."""
    count = body.get("input_tokens") if isinstance(body, dict) else None
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise Unreadable("the answer has no count of input tokens")
    return count
