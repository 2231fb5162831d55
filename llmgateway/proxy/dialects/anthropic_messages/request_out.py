"""A conversation to a Messages request: what it can't say goes to the losses."""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request
from llmgateway.proxy.dialects.anthropic_messages.blocks_out import Blocks, marker
from llmgateway.proxy.dialects.anthropic_messages.models import Abilities, abilities
from llmgateway.proxy.dialects.anthropic_messages.own import Own
from llmgateway.proxy.dialects.anthropic_messages.thinking_out import ThinkingOut
from llmgateway.proxy.dialects.anthropic_messages.tools_out import ToolsOut, closed
from llmgateway.proxy.dialects.anthropic_messages.turns_out import Turns
from llmgateway.proxy.dialects.dialect import Target

_UNSAID: tuple[tuple[str, tuple[Json, ...], str], ...] = (
    ("min_p", (), "there is no such sampler"),
    ("seed", (), "answers can not be repeated"),
    ("presence_penalty", (0,), "there are no penalties"),
    ("frequency_penalty", (0,), "there are no penalties"),
    ("logprobs", (False,), "probabilities of tokens are not told"),
    ("top_logprobs", (0,), "probabilities of tokens are not told"),
    ("logit_bias", ({},), "tokens can not be weighed"),
    ("answers", (1,), "one answer is given at a time"),
    ("audio", (), "models do not speak"),
)
"""Slots that can't be said, the values that say nothing, and why."""

_TIERS = ("auto", "standard_only")

LEAST_THINKING_TOP_P = 0.95
"""While it thinks, a model takes no lower top_p and no other sampler."""


_UNASKED = Request()


def render_request(request: Request, target: Target, losses: Losses) -> Json:
    can, lacks = abilities(target.model), target.facts.lacks
    request = _taken(request, lacks, losses)
    own = Own(request, losses)
    blocks = Blocks(own, losses, lacks)
    body: dict[str, Json] = {"model": target.model}
    body["messages"] = Turns(blocks, own, losses, system_turns=can.system_turns).write(request)
    system = [block for part in request.system if (block := blocks.write(part)) is not None]
    if system:
        body["system"] = system
    ToolsOut(request, own, losses, lacks).write(body)
    ThinkingOut(request, can, losses).write(body)
    _sampling(request, can, body, losses)
    _stop(request, own, body, losses)
    _format(request, own, body, losses=losses, lacks=lacks)
    _run(request, own, body, losses)
    _unsaid(request, losses)
    own.into(body, "")
    own.lose_rest()
    return body


def _taken(request: Request, lacks: frozenset[str], losses: Losses) -> Request:
    """Without the slots that the vendor refuses. A choice that is left to the model is none."""
    choice = request.tool_choice
    if "tool_choice" in lacks and choice is not None and choice.mode == "auto":
        request = msgspec.structs.replace(request, tool_choice=None)
    said = [slot for slot in sorted(lacks) if hasattr(request, slot) and getattr(request, slot) != getattr(_UNASKED, slot)]
    for slot in said:
        losses.drop(request.field(slot), "its vendor does not take it")
    return msgspec.structs.replace(request, **{slot: getattr(_UNASKED, slot) for slot in said}) if said else request


def _sampling(request: Request, can: Abilities, body: dict[str, Json], losses: Losses) -> None:
    """A sampler at its default says nothing, and is left out where the model takes none, or not two."""
    thinks = body.get("thinking", {"type": "disabled"})["type"] != "disabled"
    heat = request.temperature
    if heat is not None and not 0 <= heat <= 1:
        losses.drop(request.field("temperature"), "it takes temperatures from 0 to 1")
        heat = None
    if can.samplers == 0 or thinks:
        _none_taken(request, losses, heat, thinks=thinks and can.samplers > 0)
        if can.samplers and request.top_p is not None and request.top_p >= LEAST_THINKING_TOP_P:
            body["top_p"] = request.top_p
        return
    if heat is not None:
        body["temperature"] = heat
    if request.top_p is not None:
        _top_p(request, can, body, losses)
    if request.top_k is not None:
        body["top_k"] = request.top_k


def _stop(request: Request, own: Own, body: dict[str, Json], losses: Losses) -> None:
    taken = request.stop if own.is_own else [text for text in request.stop if text.strip()]
    if taken:
        body["stop_sequences"] = taken
    if len(taken) < len(request.stop):
        losses.drop(request.field("stop"), "a stop sequence must hold more than white space")


def _none_taken(request: Request, losses: Losses, heat: float | None, *, thinks: bool) -> None:
    why = "it takes no samplers while it thinks" if thinks else "the model takes no samplers"
    if heat is not None and heat != 1:
        losses.drop(request.field("temperature"), why)
    if request.top_p is not None and request.top_p < (LEAST_THINKING_TOP_P if thinks else 1):
        losses.drop(request.field("top_p"), why)
    if request.top_k is not None:
        losses.drop(request.field("top_k"), why)


def _top_p(request: Request, can: Abilities, body: dict[str, Json], losses: Losses) -> None:
    if "temperature" not in body or can.samplers > 1:
        body["top_p"] = request.top_p
    elif body["temperature"] == 1 and request.top_p != 1:
        del body["temperature"]
        body["top_p"] = request.top_p
    elif request.top_p != 1:
        losses.drop(request.field("top_p"), "the model takes only one of temperature and top_p")


def _format(request: Request, own: Own, body: dict[str, Json], *, losses: Losses, lacks: frozenset[str]) -> None:
    wanted = request.format
    if wanted is None or wanted.kind == "text":
        return
    name = request.field("format")
    if wanted.kind != "schema":
        losses.drop(name, "a JSON answer needs a schema")
    elif "json_schema" in lacks:
        losses.drop(name, "it does not hold answers to a schema")
    else:
        if wanted.description:
            losses.hint(f"{name}.description")
        schema = wanted.schema if own.is_own else closed(wanted.schema)
        body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": schema}


def _run(request: Request, own: Own, body: dict[str, Json], losses: Losses) -> None:
    if request.user:
        body["metadata"] = {"user_id": request.user}
    if request.service_tier:
        if own.is_own or request.service_tier in _TIERS:
            body["service_tier"] = request.service_tier
        else:
            losses.hint(request.field("service_tier"))
    if request.cache is not None:
        body["cache_control"] = marker(request.cache)
    if request.cache_key:
        losses.hint(request.field("cache_key"))
    if request.stream:
        body["stream"] = True


def _unsaid(request: Request, losses: Losses) -> None:
    for slot, silent, why in _UNSAID:
        value = getattr(request, slot)
        if value is not None and value not in silent:
            losses.drop(request.field(slot), why)
    if [mode for mode in request.modalities if mode.lower() != "text"]:
        losses.drop(request.field("modalities"), "models only write")
    if request.verbosity not in ("", "medium"):
        losses.hint(request.field("verbosity"))
    if request.prediction is not None:
        losses.hint(request.field("prediction"))
