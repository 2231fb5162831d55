"""What this dialect calls the slots of a request, and how its own requests are recognized when they are written again."""

from __future__ import annotations

from llmgateway.proxy.conversation.request import Request

ANTHROPIC = "anthropic"

NAMED = {
    "max_output": "max_tokens",
    "stop": "stop_sequences",
    "user": "metadata.user_id",
    "format": "output_config.format",
    "cache": "cache_control",
    "parallel_tools": "tool_choice.disable_parallel_tool_use",
}
"""Slots whose name differs. Every parsed request carries them all."""


def is_own(request: Request) -> bool:
    """Whether it was asked in this dialect: then what has no slot, and ids of files, mean something to Anthropic."""
    return request.named.get("user") == NAMED["user"]
