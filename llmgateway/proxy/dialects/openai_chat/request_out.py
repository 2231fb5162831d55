"""A request, written as a chat for one vendor of this dialect."""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.openai_chat.draft import Draft, control
from llmgateway.proxy.dialects.openai_chat.messages_out import write_messages
from llmgateway.proxy.dialects.openai_chat.names import CHAT, OPENAI
from llmgateway.proxy.dialects.openai_chat.thinking import write_thinking
from llmgateway.proxy.dialects.openai_chat.tools_out import write_choice, write_format, write_tools
from llmgateway.proxy.dialects.unsaid import HINTS, said

FIELDS = (
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("min_p", "min_p"),
    ("stop", "stop"),
    ("seed", "seed"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("logprobs", "logprobs"),
    ("top_logprobs", "top_logprobs"),
    ("logit_bias", "logit_bias"),
    ("answers", "n"),
    ("verbosity", "verbosity"),
    ("modalities", "modalities"),
    ("prediction", "prediction"),
    ("parallel_tools", "parallel_tool_calls"),
)
"""Slots that are written as they are."""

ADDED = frozenset({"top_k", "min_p"})
"""Of them those that OpenAI lacks: written for vendors whose row says that they add them."""

RENAMED = {("mistral", "seed"): "random_seed"}

CACHE_KEYS = OPENAI | {"mistral", "openrouter", "fireworks", "moonshotai", "x-ai", "cerebras"}
"""Vendors that take `prompt_cache_key`."""

_OPENAI_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
TIERS = {
    "openai": _OPENAI_TIERS,
    "azure": _OPENAI_TIERS,
    "openrouter": _OPENAI_TIERS,
    "groq": frozenset({"auto", "on_demand", "flex", "performance"}),
    "mistral": frozenset({"auto", "standard_only"}),
    "fireworks": frozenset({"auto", "default", "flex", "priority"}),
}
"""What vendors call their service tiers; a tier of another's is a hint that is lost."""


def render_request(request: Request, target: Target, losses: Losses) -> Json:
    target = target._replace(facts=target.facts.spoken(CHAT))
    draft = Draft(request, target, losses)
    body = draft.body
    body["messages"] = write_messages(draft)
    body |= write_tools(draft) | write_choice(draft) | write_format(draft)
    for slot, name in FIELDS:
        _write(draft, slot, name)
    _write(draft, "max_output", target.facts.max_tokens)
    body |= write_thinking(request, target, losses)
    _write_audio(draft)
    _write_stream(draft)
    _write_hints(draft)
    draft.restore()
    return body


def _write(draft: Draft, slot: str, name: str) -> None:
    """A value that asks for what would happen anyway is left out for a vendor that lacks the field."""
    value = getattr(draft.request, slot)
    if value is None or value in ("", []) or (slot == "parallel_tools" and draft.toolless):
        return
    facts = draft.target.facts
    if slot not in facts.lacks and (slot not in ADDED or slot in facts.adds):
        draft.body[RENAMED.get((facts.slug, slot), name)] = value
    elif said(draft.request, slot) and slot in HINTS:
        draft.losses.hint(draft.request.field(slot))
    elif said(draft.request, slot):
        draft.losses.drop(draft.request.field(slot))


def _write_audio(draft: Draft) -> None:
    audio = draft.request.audio
    if audio is None:
        return
    if draft.lacks("audio"):
        draft.losses.drop(draft.request.field("audio"))
        return
    draft.body["audio"] = {name: value for name, value in (("voice", audio.voice), ("format", audio.format)) if value}


def _write_stream(draft: Draft) -> None:
    """The house needs the usage whether its caller asked for it or not."""
    if draft.request.stream:
        draft.body["stream"] = True
        if draft.target.facts.usage_option:
            draft.body["stream_options"] = {"include_usage": True}


def _write_hints(draft: Draft) -> None:
    request, facts = draft.request, draft.target.facts
    taken = {
        "user": True,
        "service_tier": request.service_tier in TIERS.get(facts.slug, ()),
        "cache_key": facts.slug in CACHE_KEYS,
    }
    for slot, name in (("user", "user"), ("service_tier", "service_tier"), ("cache_key", "prompt_cache_key")):
        value = getattr(request, slot)
        if value and taken[slot] and slot not in facts.lacks:
            draft.body[name] = value
        elif value:
            draft.losses.hint(request.field(slot))
    if request.cache is not None and "cache" in facts.adds:
        draft.body["cache_control"] = control(request.cache)
    elif request.cache is not None:
        draft.losses.hint(request.field("cache"))
