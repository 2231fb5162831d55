"""What this dialect calls the slots of a request, and what tells that a request came in it."""

from __future__ import annotations

from llmgateway.proxy.conversation.request import Request

NAME = "openai-responses"

NAMES = {
    "system": "instructions",
    "messages": "input",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "parallel_tools": "parallel_tool_calls",
    "max_output": "max_output_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "logprobs": "include",
    "top_logprobs": "top_logprobs",
    "format": "text.format",
    "thinking": "reasoning",
    "verbosity": "text.verbosity",
    "user": "user",
    "service_tier": "service_tier",
    "cache_key": "prompt_cache_key",
}

TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
"""Service tiers that this dialect has words for. Other vendors' are told to nobody here."""

LOGPROBS = "message.output_text.logprobs"
ENCRYPTED = "reasoning.encrypted_content"
"""Entries of `include`."""


def is_own(request: Request) -> bool:
    """Whether a request came in this dialect: then its paths are this dialect's, and what has no slot can be put back."""
    return request.named.get("max_output") == NAMES["max_output"]


def is_chat(request: Request) -> bool:
    """Whether it came in OpenAI's other dialect, whose hints and file ids mean the same here."""
    return request.named.get("answers") == "n"
