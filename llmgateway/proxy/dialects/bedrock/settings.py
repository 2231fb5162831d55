"""What a request asks beside its messages, written for Converse: limits, tools, the answer's shape, reasoning.

`outputConfig.effort` is Bedrock's own and goes to every model; `thinking` and `top_k` are fields that it hands on to models of
Anthropic. Those of other makers have names of their own for them, which the API does not document for all.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Cache, Json, ToolCall
from llmgateway.proxy.conversation.request import Request, Tool, ToolChoice
from llmgateway.proxy.dialects.bedrock.blocks_out import TOOL_NAME
from llmgateway.proxy.dialects.bedrock.media import VENDOR
from llmgateway.proxy.dialects.bedrock.thinking import EFFORTS, Claude, is_claude, is_off, refused_samplers, write_thinking
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.unsaid import drop_others, drop_unwritten, said

Mark = Callable[[Cache | None, str], list[Json]]

_ASKED = {"max_output", "temperature", "top_p", "stop", "top_k", "thinking", "format"}
WRITTEN = frozenset(_ASKED | {"tool_choice", "parallel_tools", "service_tier", "cache"})
CONFIG = (("max_output", "maxTokens"), ("temperature", "temperature"), ("top_p", "topP"), ("stop", "stopSequences"))
TIERS = ("priority", "default", "flex", "reserved")
MODEL_FIELDS = "additionalModelRequestFields"
OWN = (
    MODEL_FIELDS,
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "projectIdentifier",
    "promptVariables",
    "requestMetadata",
)
"""Members that are Bedrock's alone: they are written as they came, whatever dialect they came in."""

OTHERS = "on Bedrock only models of Anthropic take it"
NAME_RULE = "its names of tools have at most 64 letters, digits, underscores and hyphens"


def write_settings(request: Request, target: Target, losses: Losses) -> dict[str, Json]:
    written = WRITTEN - target.facts.lacks
    drop_unwritten(request, losses, written=written)
    drop_others(request, losses, own=OWN)
    if said(request, "parallel_tools"):
        losses.hint(request.field("parallel_tools"))
    body: dict[str, Json] = {}
    fields = _own(request, body)
    claude = _model_fields(request, target, losses)
    fields |= claude.fields
    if is_claude(target.model):
        thinks = fields.get("thinking", {"type": "disabled"}) != {"type": "disabled"}
        written -= refused_samplers(request, target.model, losses, thinks=thinks)
    if request.top_k is not None and "top_k" in written:
        _top_k(request, target, fields, losses)
    config = {name: getattr(request, slot) for slot, name in CONFIG if slot in written and said(request, slot)}
    if claude.most is not None and "maxTokens" in config:
        config["maxTokens"] = claude.most
    output = ({"effort": claude.effort} if claude.effort else {}) | (_format(request, losses) if "format" in written else {})
    body |= {name: value for name, value in (("inferenceConfig", config), ("outputConfig", output), (MODEL_FIELDS, fields)) if value}
    if request.service_tier in TIERS:
        body["serviceTier"] = {"type": request.service_tier}
    elif request.service_tier:
        losses.hint(request.field("service_tier"))
    return body


def _top_k(request: Request, target: Target, fields: dict[str, Json], losses: Losses) -> None:
    if is_claude(target.model):
        fields["top_k"] = request.top_k
    else:
        losses.drop(request.field("top_k"), OTHERS)


def _own(request: Request, body: dict[str, Json]) -> dict[str, Json]:
    """Writes Bedrock's own members; gives the fields for the model."""
    fields: dict[str, Json] = {}
    for path, value in (request.extra | request.hints).items():
        name, _, rest = path.partition(".")
        if name == MODEL_FIELDS and rest:
            fields[rest] = value
        elif path == MODEL_FIELDS and isinstance(value, dict):
            fields |= value
        elif path in OWN:
            body[path] = value
    return fields


def _model_fields(request: Request, target: Target, losses: Losses) -> Claude:
    asked = request.thinking
    if asked is None or "thinking" in target.facts.lacks:
        return Claude({}, "", None)
    if is_claude(target.model):
        return write_thinking(request, target.model, losses)
    if asked.effort in EFFORTS and not is_off(asked):
        if asked.budget is not None:
            losses.hint(request.field("thinking"))
        return Claude({}, asked.effort, None)
    if is_off(asked):
        losses.hint(request.field("thinking"))
    else:
        losses.drop(request.field("thinking"), OTHERS)
    return Claude({}, "", None)


def _format(request: Request, losses: Losses) -> dict[str, Json]:
    shape = request.format
    if shape is None or shape.kind == "text":
        return {}
    if shape.kind != "schema" or shape.schema is None:
        losses.drop(request.field("format"), "it promises JSON by a schema alone")
        return {}
    schema = {"schema": msgspec.json.encode(shape.schema).decode(), "name": shape.name, "description": shape.description}
    schema = {name: value for name, value in schema.items() if value}
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}


def write_tools(request: Request, mark: Mark, losses: Losses) -> dict[str, Json]:
    """Nothing where no tool may be called and none was: then the model need not know of them. Where calls stand in the
    conversation, Bedrock insists on tools: those that were called are named again, for a caller that only wants a summary of it."""
    called = sorted({part.name for message in request.messages for part in message.parts if isinstance(part, ToolCall)})
    if request.tool_choice is not None and request.tool_choice.mode == "none" and not called:
        return {}
    tools: list[Json] = []
    for tool in request.tools:
        if isinstance(tool, Tool):
            tools += _tool(tool, mark, losses)
        elif tool.vendor == VENDOR:
            tools.append(tool.raw)
        else:
            losses.drop(tool.at, f"it is a tool that {tool.vendor} runs")
    if not tools and called:
        losses.hint(request.field("tools"))
        return {"tools": [_spec(Tool(name=name)) for name in called if TOOL_NAME.fullmatch(name)]}
    if not tools:
        return {}
    choice = _choice(request, losses)
    return {"tools": tools} if choice is None else {"tools": tools, "toolChoice": choice}


def _tool(tool: Tool, mark: Mark, losses: Losses) -> list[Json]:
    if tool.custom or not TOOL_NAME.fullmatch(tool.name):
        losses.drop(tool.at, "it has no tools whose input is free text" if tool.custom else NAME_RULE)
        return []
    return [_spec(tool), *mark(tool.cache, f"{tool.at}.cache_control")]


def _spec(tool: Tool) -> Json:
    spec: dict[str, Json] = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    spec["inputSchema"] = {"json": {"type": "object", "properties": {}} if tool.schema is None else tool.schema}
    if tool.strict is not None:
        spec["strict"] = tool.strict
    return {"toolSpec": spec}


def _choice(request: Request, losses: Losses) -> Json:
    choice: ToolChoice | None = request.tool_choice
    if choice is None:
        return None
    offered = {tool.name for tool in request.tools if isinstance(tool, Tool)}
    match choice.mode:
        case "auto":
            return {"auto": {}}
        case "tool":
            return {"tool": {"name": choice.names[0]}}
        case "any" if len(choice.names) == 1:
            return {"tool": {"name": choice.names[0]}}
        case "any" if offered <= set(choice.names) or not choice.names:
            return {"any": {}}
    why = "it can't forbid the tools that it is given" if choice.mode == "none" else "it can't choose among some of the tools"
    losses.drop(request.field("tool_choice"), why)
    return None
