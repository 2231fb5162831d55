"""Tools and the choice among them, written."""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request, Tool, ToolChoice, VendorTool
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.openai_responses.names import NAME
from llmgateway.proxy.dialects.openai_responses.namespaces import namespaces, space_of
from llmgateway.proxy.dialects.openai_responses.own import Own

MODES = {"auto": "auto", "none": "none", "any": "required"}


def write_tools(request: Request, target: Target, losses: Losses, own: Own) -> list[Json]:
    spaces = namespaces(request) if own.own else {}
    tools: list[Json] = []
    opened: dict[str, dict[str, Json]] = {}
    for tool in request.tools:
        if own.own and tool.at.startswith("input["):
            continue  # the item that offers it is put back whole
        value = _vendor_tool(tool, losses) if isinstance(tool, VendorTool) else _tool(tool, target, losses, own)
        if value is None:
            continue
        path = space_of(tool) if own.own else ""
        if not path:
            tools.append(value)
            continue
        if path not in opened:
            opened[path] = own.into({"type": "namespace", "name": request.named[path], "tools": []}, path)
            tools.append(opened[path])
        name = spaces[tool.name].name if isinstance(tool, Tool) and tool.name in spaces else None
        opened[path]["tools"].append(value if name is None else {**value, "name": name})
    return own.elements(tools, "", "tools")


def _vendor_tool(tool: VendorTool, losses: Losses) -> dict[str, Json] | None:
    if tool.vendor == NAME and isinstance(tool.raw, dict):
        return tool.raw
    losses.drop(tool.at, f"{tool.vendor} alone runs its {tool.kind}")
    return None


def _tool(tool: Tool, target: Target, losses: Losses, own: Own) -> dict[str, Json]:
    """A function is strict here unless it says otherwise, and in no other dialect: there, not said is not strict."""
    if tool.cache is not None:
        losses.hint(f"{tool.at}.cache_control")
    value: dict[str, Json] = {"type": "custom" if tool.custom else "function", "name": tool.name}
    if tool.description:
        value["description"] = tool.description
    if tool.custom:
        if tool.grammar is not None:
            value["format"] = tool.grammar
        return own.into(value, tool.at)
    if tool.schema is not None or not own.own:
        value["parameters"] = tool.schema if tool.schema is not None else {"type": "object", "properties": {}}
    strict = tool.strict if tool.strict is not None or own.own else False
    if strict and "strict" in target.facts.lacks:
        losses.drop(f"{tool.at}.strict", f"{target.facts.label} does not hold a model to a schema")
    elif strict is not None and "strict" not in target.facts.lacks:
        value["strict"] = strict
    return own.into(value, tool.at)


def write_choice(choice: ToolChoice, request: Request, own: Own) -> Json:
    if choice.mode == "tool" and choice.names:
        return own.into(_named(choice.names[0], request), "tool_choice")
    if choice.mode == "any" and choice.names:
        return {"type": "allowed_tools", "mode": "required", "tools": [_named(name, request) for name in choice.names]}
    return MODES.get(choice.mode, "required")


def _named(name: str, request: Request) -> dict[str, Json]:
    custom = any(isinstance(tool, Tool) and tool.name == name and tool.custom for tool in request.tools)
    return {"type": "custom" if custom else "function", "name": name}
