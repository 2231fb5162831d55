"""The vendors that are played, each on its own wire."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from bench.agents.wires import chat, converse, gemini, messages, responses


class Target(NamedTuple):
    """A vendor's wire. `base` is what follows the lane in its base URL."""

    dialect: str
    vendor: str
    model: str
    base: str
    wire: ModuleType
    thinks: bool = True


TARGETS = {
    "anthropic": Target("anthropic", "anthropic", "claude-opus-4-8", "", messages),
    "openai": Target("openai", "openai", "gpt-5.5", "/v1", responses),
    "together": Target("openai", "together", "moonshotai/Kimi-K3", "/v1", chat),
    "mistral": Target("openai", "mistral", "devstral-3", "/v1", chat, thinks=False),
    "gemini": Target("gemini", "google", "gemini-3-pro-preview", "", gemini),
    "bedrock": Target("bedrock", "aws", "us.anthropic.claude-opus-4-8-v1:0", "", converse),
}
