"""How much a model of Anthropic's is to think, in the terms that it knows.

Models from 4.6 on take `adaptive` with an effort, those from 4.7 on nothing else; older ones take a budget and no effort
(Bedrock user guide, "Adaptive thinking", "Extended thinking"). What was asked in the other terms is put into those of the
model: it is a matter of degree, so it is told as a hint and never refused.
"""

from __future__ import annotations

import re

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request, Thinking

EFFORTS = ("low", "medium", "high", "xhigh", "max")
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16_384, "xhigh": 32_768, "max": 32_768}
LEAST = 1024
"""The smallest budget that is taken; it must be below the limit of the whole output."""

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2}))?(?!\d)")


def version_of(model: str) -> tuple[int, int]:
    """Of a model's id (`claude-opus-4-7`, `claude-3-7-sonnet-…`); one that tells none is taken for a new one."""
    found = _VERSION.search(model)
    return (int(found.group(1)), int(found.group(2) or 0)) if found else (99, 0)


def is_off(asked: Thinking) -> bool:
    return asked.enabled is False or asked.budget == 0 or asked.effort == "none"


def write_thinking(request: Request, model: str, losses: Losses) -> tuple[dict[str, Json], str]:
    """The model's own fields and the effort ("" for none)."""
    asked = request.thinking
    if asked is None:
        return {}, ""
    if is_off(asked):
        return {"thinking": {"type": "disabled"}}, ""
    version = version_of(model)
    budget = asked.budget if asked.budget is not None and asked.budget > 0 else None
    effort = "low" if asked.effort == "minimal" else asked.effort
    if effort != asked.effort:
        losses.hint(request.field("thinking"))
    if version < (4, 6):
        return _by_budget(request, asked, budget, losses), effort if version >= (4, 5) and budget is not None else ""
    if budget is not None and version < (4, 7):
        return _thinking({"type": "enabled", "budget_tokens": budget}, asked), effort
    if budget is not None:
        losses.hint(request.field("thinking"))
        effort = effort or next((name for name, most in BUDGETS.items() if name != "minimal" and budget <= most), "max")
    return _thinking({"type": "adaptive"}, asked), effort


def _thinking(told: dict[str, Json], asked: Thinking) -> dict[str, Json]:
    if asked.show:
        told["display"] = "omitted" if asked.show == "none" else "summarized"
    return {"thinking": told}


def _by_budget(request: Request, asked: Thinking, budget: int | None, losses: Losses) -> dict[str, Json]:
    found = budget
    if found is None:
        losses.hint(request.field("thinking"))
        found = BUDGETS.get(asked.effort, BUDGETS["medium"])
        if request.max_output is not None:
            found = min(found, request.max_output - 1)
        if found < LEAST:
            return {}
    return {"thinking": {"type": "enabled", "budget_tokens": found}}
