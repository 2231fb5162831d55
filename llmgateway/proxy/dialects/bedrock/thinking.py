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

LEAST_THINKING_TOP_P = 0.95
"""While it thinks, a model takes no lower top_p and no other sampler."""


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


def refused_samplers(request: Request, model: str, losses: Losses, *, thinks: bool) -> frozenset[str]:
    """The slots that the model takes no values for: its generation takes none, or none while it thinks, or not two. What they
    ask beyond its defaults is told."""
    samplers = abilities(model).samplers
    if samplers == 0 or thinks:
        why = "it takes no samplers while it thinks" if samplers else "the model takes no samplers"
        least = LEAST_THINKING_TOP_P if samplers else 1
        asked = {
            "temperature": request.temperature not in (None, 1),
            "top_p": (request.top_p or 1) < least,
            "top_k": request.top_k is not None,
        }
        for slot in (slot for slot, is_asked in asked.items() if is_asked):
            losses.drop(request.field(slot), why)
        return frozenset(asked) if asked["top_p"] or not samplers else frozenset({"temperature", "top_k"})
    if samplers == 1 and request.temperature is not None and request.top_p is not None:
        if request.temperature == 1 and request.top_p != 1:
            return frozenset({"temperature"})
        if request.top_p != 1:
            losses.drop(request.field("top_p"), "the model takes only one of temperature and top_p")
        return frozenset({"top_p"})
    return frozenset()
