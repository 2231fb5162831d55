"""A request, written for Cohere's chat (v2).

Tools are forced all or none; what asks for less is refused. They are strict all or none: where one is to be, all are, for a
model that keeps to the others' definitions does what was asked too. An effort of reasoning has no place (its models reason
unless told not to, within a budget): it is told as a hint.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request, Tool
from llmgateway.proxy.dialects.cohere.message_out import write_messages
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.unsaid import drop_others, drop_unwritten, hint_cache

SETTINGS = (
    ("max_output", "max_tokens"),
    ("temperature", "temperature"),
    ("top_p", "p"),
    ("top_k", "k"),
    ("stop", "stop_sequences"),
    ("seed", "seed"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("logprobs", "logprobs"),
)
WRITTEN = frozenset({slot for slot, _ in SETTINGS} | {"tool_choice", "format", "thinking"})
RANGES = {"temperature": (0, 1), "presence_penalty": (0, 1), "frequency_penalty": (0, 1), "top_k": (0, 500), "seed": (0, 2**64)}
MOST_P = 0.99
"""Its `p` ends below 1, which others take for "all of them"."""

MOST_STOPS = 5
OWN = ("documents", "citation_options", "safety_mode", "priority", "connectors")
"""Members that are Cohere's alone: they are written as they came, whatever dialect they came in."""


def render_request(request: Request, target: Target, losses: Losses) -> Json:
    written = WRITTEN - target.facts.lacks
    drop_unwritten(request, losses, written=written)
    drop_others(request, losses, own=OWN)
    body: dict[str, Json] = {"model": target.model, "messages": write_messages(request, losses, lacks=target.facts.lacks)}
    body["stream"] = request.stream
    for slot, name in SETTINGS:
        value = getattr(request, slot)
        if slot in written and value is not None and value != [] and _fits(request, slot, losses):
            body[name] = value
    if body.get("p", 0) > MOST_P:
        body["p"] = MOST_P
        losses.hint(request.field("top_p"))
    body |= _tools(request, losses)
    if "format" in written:
        body |= _format(request, losses)
    if "thinking" in written:
        body |= _thinking(request, losses)
    body |= {path: value for path, value in (request.extra | request.hints).items() if path in OWN}
    return body


def _fits(request: Request, slot: str, losses: Losses) -> bool:
    value = getattr(request, slot)
    if slot == "stop" and len(value) > MOST_STOPS:
        losses.drop(request.field(slot), f"it takes at most {MOST_STOPS} stop sequences")
        return False
    low, high = RANGES.get(slot, (None, None))
    if low is not None and high is not None and not low <= value <= high:
        losses.drop(request.field(slot), f"it takes values from {low} to {high}")
        return False
    return True


def _tools(request: Request, losses: Losses) -> dict[str, Json]:
    offered: list[Tool] = []
    for tool in request.tools:
        if not isinstance(tool, Tool):
            losses.drop(tool.at, f"it is a tool that {tool.vendor} runs")
        elif tool.custom:
            losses.drop(tool.at, "it has no tools whose input is free text")
        else:
            hint_cache(tool, losses)
            offered.append(tool)
    body = _choice(request, {tool.name for tool in offered}, losses)
    if not offered:
        return body
    body["tools"] = [{"type": "function", "function": _function(tool)} for tool in offered]
    strict = {tool.strict for tool in offered}
    if True in strict or strict == {False}:
        body["strict_tools"] = True in strict
    return body


def _function(tool: Tool) -> dict[str, Json]:
    described = {"description": tool.description} if tool.description else {}
    return {"name": tool.name, **described, "parameters": {"type": "object", "properties": {}} if tool.schema is None else tool.schema}


def _choice(request: Request, offered: set[str], losses: Losses) -> dict[str, Json]:
    choice = request.tool_choice
    if choice is None or choice.mode == "auto":
        return {}
    if choice.mode == "none":
        return {"tool_choice": "NONE"}
    if choice.names and not offered <= set(choice.names):
        losses.drop(request.field("tool_choice"), "it can't choose among its tools")
        return {}
    return {"tool_choice": "REQUIRED"}


def _format(request: Request, losses: Losses) -> dict[str, Json]:
    shape = request.format
    if shape is None:
        return {}
    if shape.kind == "text":
        return {"response_format": {"type": "text"}}
    if shape.description:
        losses.hint(f"{request.field('format')}.description")
    schema = {"json_schema": shape.schema} if shape.kind == "schema" and shape.schema is not None else {}
    return {"response_format": {"type": "json_object", **schema}}


def _thinking(request: Request, losses: Losses) -> dict[str, Json]:
    asked = request.thinking
    if asked is None:
        return {}
    if asked.enabled is False or asked.budget == 0 or asked.effort == "none":
        return {"thinking": {"type": "disabled"}}
    if asked.effort or asked.adaptive or asked.show not in ("", "auto", "full"):
        losses.hint(request.field("thinking"))
    if asked.budget is not None and asked.budget > 0:
        return {"thinking": {"type": "enabled", "token_budget": asked.budget}}
    return {"thinking": {"type": "enabled"}} if asked.enabled else {}
