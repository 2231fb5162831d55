"""How much to reason, and what may be seen of it, as the vendors of this dialect are asked.

    reasoning_effort                  OpenAI, and whoever is not named here
    reasoning                         OpenRouter: {effort | max_tokens, enabled, exclude}
    thinking                          DeepSeek, Z.AI, Moonshot: {type: enabled | disabled}
    reasoning_format                  Groq: parsed, raw, hidden
    include_reasoning                 OpenRouter and Groq
    extra_body.google.thinking_config  Google: {thinking_budget, include_thoughts}

A budget in tokens is an effort where only efforts are known, by the equivalence that Google publishes for its own endpoint
of this dialect: low is 1,024 tokens, medium 8,192, high all above. It asks for "how much" in another measure, so nothing
is lost. Reasoning that is only switched on is of medium effort; a model that decides for itself (-1) is asked for nothing.
"""

from __future__ import annotations

import re

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request, Thinking
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.members import Members
from llmgateway.proxy.dialects.openai_chat.content_in import Rest, keep
from llmgateway.proxy.dialects.openai_chat.names import OPENAI

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
LOW, MEDIUM = 1024, 8192

SWITCHED = frozenset({"deepseek", "zai", "moonshotai"})
"""Vendors that are told `thinking` on or off; of them only DeepSeek knows efforts too."""

ANY_EFFORT = OPENAI | {"openrouter", "deepseek", ""}
NARROWED = {"minimal": "low", "xhigh": "high", "max": "high"}
"""For vendors that know low, medium and high only: the nearest."""

SHOWN = {"parsed": "full", "hidden": "none"}
FIELD, SHOW = "thinking", "thinking.show"


def read_thinking(body: Members, request: Request, rest: Rest) -> None:
    thinking = Thinking()
    for name, reader in (("reasoning_effort", _effort), ("reasoning", _object), ("thinking", _switch), ("extra_body", _google)):
        if name in body and reader(body, thinking, rest):
            request.named[FIELD] = request.named[SHOW] = name
    shown = body.text("reasoning_format")
    if shown in SHOWN:
        thinking.show, request.named[SHOW] = SHOWN[shown], "reasoning_format"
    elif shown:
        rest.extra["reasoning_format"] = shown
    included = body.flag("include_reasoning")
    if included is not None:
        thinking.show, request.named[SHOW] = "full" if included else "none", "include_reasoning"
    if thinking != Thinking():
        request.thinking = thinking


def _effort(body: Members, thinking: Thinking, rest: Rest) -> bool:
    effort = body.text("reasoning_effort")
    if effort not in EFFORTS:
        rest.extra["reasoning_effort"] = effort
        return False
    thinking.effort = effort
    return True


def _object(body: Members, thinking: Thinking, rest: Rest) -> bool:
    inner = body.needed("reasoning")
    effort = inner.text("effort")
    if effort in EFFORTS:
        thinking.effort = effort
    elif effort:
        rest.extra[inner.path("effort")] = effort
    thinking.enabled, thinking.budget = inner.flag("enabled"), inner.integer("max_tokens")
    excluded = inner.flag("exclude")
    if excluded is not None:
        thinking.show = "none" if excluded else "full"
    keep(inner, rest)
    return True


def _switch(body: Members, thinking: Thinking, rest: Rest) -> bool:
    inner = body.needed("thinking")
    kind = inner.text("type")
    if kind in ("enabled", "disabled", "adaptive"):
        thinking.enabled, thinking.adaptive = kind != "disabled", kind == "adaptive"
    elif kind:
        rest.extra[inner.path("type")] = kind
    budget = inner.integer("budget_tokens")
    thinking.budget = thinking.budget if budget is None else budget
    keep(inner, rest)
    return True


def _google(body: Members, thinking: Thinking, rest: Rest) -> bool:
    outer = body.needed("extra_body")
    google = outer.inner("google")
    config = google.inner("thinking_config") if google is not None else None
    if config is not None:
        thinking.budget, shown = config.integer("thinking_budget"), config.flag("include_thoughts")
        thinking.show = thinking.show if shown is None else "full" if shown else "none"
    for members in (outer, google, config):
        if members is not None:
            keep(members, rest)
    return config is not None


def effort_of(thinking: Thinking) -> str:
    """The effort that this asks for; "" for none in particular."""
    if thinking.effort:
        return thinking.effort
    if thinking.enabled is False or thinking.budget == 0:
        return "none"
    if thinking.budget is not None:
        return "" if thinking.budget < 0 else "low" if thinking.budget <= LOW else "medium" if thinking.budget <= MEDIUM else "high"
    return "medium" if thinking.enabled else ""


def write_thinking(request: Request, target: Target, losses: Losses) -> dict[str, Json]:
    thinking, vendor = request.thinking, target.facts.slug
    if thinking is None:
        return {}
    if "thinking" in target.facts.lacks:
        losses.drop(request.field(FIELD))
        return {}
    if vendor == "openrouter":
        return _openrouter(thinking)
    written = _switched(request, thinking, target, losses) if vendor in SWITCHED else {}
    effort = _written_effort(request, thinking, target, losses)
    if effort:
        written["reasoning_effort"] = effort if vendor in ANY_EFFORT else NARROWED.get(effort, effort)
    if vendor == "groq" and thinking.show:
        written["reasoning_format"] = "hidden" if thinking.show == "none" else "parsed"
    elif thinking.show and (thinking.show == "none") == bool(target.facts.replays):
        losses.hint(request.field(SHOW))
    return written


def _written_effort(request: Request, thinking: Thinking, target: Target, losses: Losses) -> str:
    """Not to think can't be said to every model: OpenAI's older ones think a little or not at all, and elsewhere only an
    explicit effort of none is passed on."""
    effort, vendor = effort_of(thinking), target.facts.slug
    if vendor in SWITCHED:
        return effort if vendor == "deepseek" and effort != "none" else ""
    if effort != "none":
        return effort
    if vendor in OPENAI:
        return least_effort(target.model)
    if not thinking.effort:
        losses.hint(request.field(FIELD))
    return thinking.effort


def least_effort(model: str) -> str:
    """The least that a model of OpenAI's can be asked to think; "" for one that does not think."""
    return next((effort for pattern, effort in _LEAST if pattern.search(model)), "")


_LEAST = (
    (re.compile(r"^gpt-5(?:$|-)(?!chat)"), "minimal"),
    (re.compile(r"^gpt-(?:5\.\d|[6-9])"), "none"),
    (re.compile(r"^o[1-9]"), "low"),
)


def _openrouter(thinking: Thinking) -> dict[str, Json]:
    """It takes an effort or a budget, never both."""
    asked: dict[str, Json] = {}
    if thinking.effort:
        asked["effort"] = thinking.effort
    elif thinking.budget is not None and thinking.budget > 0:
        asked["max_tokens"] = thinking.budget
    elif thinking.budget is not None and thinking.enabled is None:
        asked["enabled"] = thinking.budget != 0
    if thinking.enabled is not None:
        asked["enabled"] = thinking.enabled
    if thinking.show:
        asked["exclude"] = thinking.show == "none"
    return {"reasoning": asked} if asked else {}


def _switched(request: Request, thinking: Thinking, target: Target, losses: Losses) -> dict[str, Json]:
    effort = effort_of(thinking)
    on = effort not in ("", "none")
    if on and target.facts.slug != "deepseek" and (thinking.effort or thinking.budget is not None):
        losses.hint(request.field(FIELD))
    return {"thinking": {"type": "enabled" if on else "disabled"}} if effort else {}
