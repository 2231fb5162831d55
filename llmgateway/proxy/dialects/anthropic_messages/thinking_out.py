"""How much to reason, said as the generation of the model takes it, and the maximum of output that goes with it.

Anthropic counts thinking inside `max_tokens`, which it requires. Where no maximum was asked for, `models.Abilities.most` is
written. A budget that was asked for and leaves no room below the maximum raises it by itself; one that stands for an effort
(EFFORT_BUDGETS, for generations without efforts) is cut instead, so that a caller's maximum stays what it may cost.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request, Thinking
from llmgateway.proxy.dialects.anthropic_messages.models import LEVELS, Abilities
from llmgateway.proxy.dialects.anthropic_messages.names import is_own

LEAST_BUDGET = 1024
"""Anthropic refuses less."""

EFFORT_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_000, "max": 32_000}
"""Tokens of thinking that an effort stands for, as other vendors with budgets set them."""

_SHOWN = {"none": "omitted", "auto": "summarized", "concise": "summarized", "detailed": "summarized", "full": "summarized"}


class ThinkingOut:
    def __init__(self, request: Request, can: Abilities, losses: Losses) -> None:
        self._request = request
        self._can = can
        self._losses = losses
        self._name = request.field("thinking")

    def write(self, body: dict[str, Json]) -> None:
        """Sets `max_tokens`, and `thinking` and `output_config.effort` where something was said."""
        said = self._request.thinking
        asked = self._request.max_output
        body["max_tokens"] = self._can.most if asked is None else asked
        if said is None:
            return
        if said.effort == "none" or said.enabled is False or said.budget == 0:
            body["thinking"] = {"type": "disabled"}
        elif said.budget is not None and said.budget > 0 and not said.adaptive:
            self._budget(body, said.budget)
        elif said.enabled or said.adaptive or said.budget is not None or self._implied(said):
            self._on(body, said)
        self._effort(body, said)
        self._show(body, said)

    def _implied(self, said: Thinking) -> bool:
        """Whether an effort alone asks for thinking: in other dialects it does, in this one it is apart. A forced tool
        excludes thinking, and an effort does not insist on it."""
        choice = self._request.tool_choice
        forced = choice is not None and choice.mode in ("any", "tool")
        return bool(said.effort) and not forced and not is_own(self._request)

    def _budget(self, body: dict[str, Json], budget: int) -> None:
        if not self._can.budget:
            body["thinking"] = {"type": "adaptive"}
            self._losses.hint(self._name)
            return
        budget = max(budget, LEAST_BUDGET)
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}
        if body["max_tokens"] <= budget:
            body["max_tokens"] += budget

    def _on(self, body: dict[str, Json], said: Thinking) -> None:
        """The model is to decide how much, as far as an effort does not."""
        if self._can.adaptive:
            body["thinking"] = {"type": "adaptive"}
            return
        budget = EFFORT_BUDGETS.get(said.effort, EFFORT_BUDGETS["medium"])
        if self._request.max_output is not None:
            budget = min(budget, body["max_tokens"] // 2)
        elif body["max_tokens"] <= budget:
            body["max_tokens"] += budget
        if budget < LEAST_BUDGET:
            self._losses.hint(self._name)
            return
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}

    def _effort(self, body: dict[str, Json], said: Thinking) -> None:
        if said.effort in ("", "none"):
            return
        wanted = "low" if said.effort == "minimal" else said.effort
        if not self._can.levels or wanted not in LEVELS:
            if "thinking" not in body or wanted not in LEVELS:
                self._losses.hint(self._name)
            return
        if wanted not in self._can.levels:
            wanted = next(level for level in reversed(self._can.levels) if LEVELS.index(level) < LEVELS.index(wanted))
            self._losses.hint(self._name)
        body.setdefault("output_config", {})["effort"] = wanted

    def _show(self, body: dict[str, Json], said: Thinking) -> None:
        if not said.show:
            return
        config = body.get("thinking")
        if config is None or config["type"] == "disabled":
            self._losses.hint(self._name)
        else:
            config["display"] = _SHOWN.get(said.show, "summarized")
