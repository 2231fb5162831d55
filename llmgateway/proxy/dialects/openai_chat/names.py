"""What this dialect calls the slots of a request, and which vendors of it take what."""

from __future__ import annotations

import re

from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.dialect import Target

CHAT, GEMINI = "openai-chat", "gemini"

NAMED = {
    "system": "messages",
    "max_output": "max_completion_tokens",
    "answers": "n",
    "parallel_tools": "parallel_tool_calls",
    "format": "response_format",
    "thinking": "reasoning_effort",
    "cache_key": "prompt_cache_key",
    "cache": "cache_control",
    "stream_usage": "stream_options.include_usage",
}
"""Slots whose name differs. Every parsed request carries them all."""

OPENAI = frozenset({"openai", "azure"})
"""Rows of the vendors' table that are OpenAI's own API: what only they have (custom tools, refusals, cache breakpoints,
allowed tools) is written for nobody else."""

REASONS = re.compile(r"(?:^|/)(?:o[1-9]|gpt-[5-9])")
"""Models that take instructions from a developer: OpenAI's since o1. Older ones are given a system message."""


def is_own(request: Request) -> bool:
    """Whether it was asked in this dialect: then what has no slot means something to its vendors."""
    return request.named.get("answers") == NAMED["answers"]


def takes_developer(target: Target) -> bool:
    return target.facts.developer and REASONS.search(target.model) is not None


def is_google(target: Target) -> bool:
    """Google's own endpoint of this dialect: no row of the table tells of it, its models do."""
    return not target.facts.slug and "gemini" in target.model
