"""What a model of Anthropic's takes on Bedrock: the fields are those of Anthropic's own API, and so are the abilities of its
generations. `thinking` stands in `additionalModelRequestFields`, the effort in `outputConfig`.
"""

from __future__ import annotations

from typing import NamedTuple

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request, Thinking
from llmgateway.proxy.dialects.anthropic_messages.models import LEVELS, abilities
from llmgateway.proxy.dialects.anthropic_messages.thinking_out import ThinkingOut

EFFORTS = LEVELS
OWN_EFFORT = "outputConfig.effort"
"""How a request that came in this dialect names an effort: there it asks for no thinking by itself."""


class Claude(NamedTuple):
    """Fields for the model, the effort ("" for none), the limit of the output (None where none was asked for)."""

    fields: dict[str, Json]
    effort: str
    most: int | None


def is_claude(model: str) -> bool:
    return "anthropic" in model


def takes_system_turns(model: str) -> bool:
    """Whether instructions may stand among the messages."""
    return is_claude(model) and abilities(model).system_turns


def is_off(asked: Thinking) -> bool:
    return asked.enabled is False or asked.budget == 0 or asked.effort == "none"


def write_thinking(request: Request, model: str, losses: Losses) -> Claude:
    written: dict[str, Json] = {}
    ThinkingOut(request, abilities(model), losses).write(written)
    most = written["max_tokens"] if request.max_output is not None else None
    fields = {"thinking": written["thinking"]} if "thinking" in written else {}
    if request.field("thinking") == OWN_EFFORT:
        fields = {}
    return Claude(fields, written.get("output_config", {}).get("effort", ""), most)


def refused_samplers(request: Request, model: str, losses: Losses) -> frozenset[str]:
    """The slots that this generation takes no values for; what they ask beyond its defaults is told."""
    if abilities(model).samplers:
        return frozenset()
    neutral = {"temperature": 1, "top_p": 1, "top_k": None}
    for slot, default in neutral.items():
        if getattr(request, slot) not in (None, default):
            losses.drop(request.field(slot), "the model takes no samplers")
    return frozenset(neutral)
