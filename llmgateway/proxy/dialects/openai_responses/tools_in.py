"""Tools and the choice among them."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Tool, ToolChoice, VendorTool
from llmgateway.proxy.dialects.openai_responses.members import Found, Members, WrongType
from llmgateway.proxy.dialects.openai_responses.names import NAME
from llmgateway.proxy.dialects.openai_responses.namespaces import joined

CLIENT = "client"
"""Where a search for further tools is run by its caller. It finds tools that are told in this dialect alone; a conversation with
another vendor goes on with the tools that are on offer from the beginning."""

MODES = {"auto": "auto", "none": "none", "required": "any"}


def tools_of(values: list[Json], path: str, found: Found, *, inner: bool = False) -> list[Tool | VendorTool]:
    """`inner`: of a namespace, which has none in it."""
    tools: list[Tool | VendorTool] = []
    for place, value in enumerate(values):
        where = f"{path}[{place}]"
        members = Members(value, where)
        kind = members.needed("type")
        if kind in ("function", "custom"):
            tools.append(_tool(members, kind, found))
        elif kind == "namespace" and value.get("tools") and not inner:
            tools += _namespace(members, found)
        elif kind == "tool_search" and value.get("execution") == CLIENT and not inner:
            found.hints[where] = value
        else:
            tools.append(VendorTool(vendor=NAME, kind=kind, raw=value, at=where))
    return tools


def added_tools(items: Json, found: Found) -> list[Tool | VendorTool]:
    """Those that items of the input put on offer (Codex offers all of its own so). The items themselves are this dialect's."""
    tools: list[Tool | VendorTool] = []
    for place, item in enumerate(items if isinstance(items, list) else ()):
        if not isinstance(item, dict) or item.get("type") != "additional_tools" or not isinstance(item.get("tools"), list):
            continue
        path, inside = f"input[{place}]", Found()
        tools += tools_of(item["tools"], f"{path}.tools", inside)
        found.spaces |= inside.spaces
        found.hints[path] = item
    return tools


def _namespace(members: Members, found: Found) -> list[Tool | VendorTool]:
    """Its tools under joined names. Its description is the vendor's to use."""
    name = found.spaces[members.path] = members.needed("name")
    members.hint(found, "description")
    inner = tools_of(members.array("tools"), members.at("tools"), found, inner=True)
    members.rest(found)
    for tool in inner:
        if isinstance(tool, Tool):
            tool.name = joined(name, tool.name)
    return inner


def _tool(members: Members, kind: str, found: Found) -> Tool:
    tool = Tool(name=members.needed("name"), description=members.text("description"), custom=kind == "custom", at=members.path)
    if tool.custom:
        tool.grammar = members.take("format")
    else:
        schema = members.take("parameters")
        if schema is not None and not isinstance(schema, dict):
            raise WrongType(members.at("parameters"), "an object")
        tool.schema = schema
        tool.strict = members.flag("strict")
    # When it is loaded, and what it gives back, is told to the vendor's own search for tools.
    members.hint(found, "defer_loading", "output_schema")
    members.skip("async", False)
    members.rest(found)
    return tool


def tool_choice(value: Json, found: Found) -> ToolChoice | None:
    """Choices that no other vendor has (a tool that the vendor runs, a limit under `auto`) have no slot."""
    if value is None:
        return None
    if isinstance(value, str):
        if value in MODES:
            return ToolChoice(MODES[value])
        raise WrongType("tool_choice", "none, auto, required or an object")
    members = Members(value, "tool_choice")
    kind = members.needed("type")
    if kind in ("function", "custom"):
        choice = ToolChoice("tool", [members.needed("name")])
        members.rest(found)
        return choice
    names = _allowed(members) if kind == "allowed_tools" else None
    if names is not None:
        return ToolChoice("any", names)
    found.extra["tool_choice"] = value
    return None


def _allowed(members: Members) -> list[str] | None:
    """The names, where one of these functions must be called; None for any other limit."""
    if members.take("mode") != "required":
        return None
    allowed = members.array("tools")
    names = []
    for tool in allowed:
        if not isinstance(tool, dict) or tool.get("type") not in ("function", "custom") or not isinstance(tool.get("name"), str):
            return None
        names.append(tool["name"])
    return names or None
