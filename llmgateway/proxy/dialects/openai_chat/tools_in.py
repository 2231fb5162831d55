"""Tools, the choice among them, and the shape of the answer.

A tool of another type than function and custom is the vendor's own. A custom tool's grammar is kept in the flat form that
OpenAI's Responses have: {"type": "grammar", "syntax": …, "definition": …}.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Format, Request, Tool, ToolChoice, VendorTool
from llmgateway.proxy.dialects.members import Members
from llmgateway.proxy.dialects.openai_chat.content_in import Rest, keep, mark
from llmgateway.proxy.dialects.openai_chat.names import CHAT

WEB_SEARCH = "web_search_options"
CHOICES = {"auto": "auto", "none": "none", "required": "any", "any": "any"}
FORMATS = {"text": "text", "json_object": "json"}


def read_tools(body: Members, request: Request, rest: Rest) -> None:
    for place, value in enumerate(body.array("tools")):
        request.tools.append(_tool(Members(value, f"{body.path('tools')}[{place}]", body.wrong), value, rest))
    for legacy in body.each("functions"):
        request.tools.append(_function(legacy, legacy.at, rest))
        request.named |= {"tools": "functions", "tool_choice": "function_call"}
    search = body.mapping(WEB_SEARCH)
    if search is not None:
        request.tools.append(VendorTool(vendor=CHAT, kind=WEB_SEARCH, raw=search, at=WEB_SEARCH))


def _tool(members: Members, raw: Json, rest: Rest) -> Tool | VendorTool:
    """Mistral takes functions without a type."""
    kind = members.text("type") or "function"
    if kind == "function":
        tool = _function(members.needed("function"), members.at, rest)
    elif kind == "custom":
        tool = _custom(members.needed("custom"), members.at, rest)
    else:
        return VendorTool(vendor=CHAT, kind=kind, raw=raw, at=members.at)
    tool.cache = mark(members, rest)
    keep(members, rest)
    return tool


def _function(inner: Members, at: str, rest: Rest) -> Tool:
    tool = Tool(name=inner.needed_text("name"), description=inner.text("description"), at=at)
    tool.schema, tool.strict = inner.mapping("parameters"), inner.flag("strict")
    tool.cache = mark(inner, rest)
    keep(inner, rest)
    return tool


def _custom(inner: Members, at: str, rest: Rest) -> Tool:
    tool = Tool(name=inner.needed_text("name"), description=inner.text("description"), custom=True, at=at)
    form = inner.mapping("format")
    if form is not None:
        grammar = form.get("grammar")
        tool.grammar = {"type": "grammar", **grammar} if form.get("type") == "grammar" and isinstance(grammar, dict) else form
    keep(inner, rest)
    return tool


def read_choice(body: Members, request: Request, rest: Rest) -> None:
    for name in ("tool_choice", "function_call"):
        value = body.take(name)
        if value is None:
            continue
        request.named["tool_choice"] = name
        choice = CHOICES.get(value) if isinstance(value, str) else None
        if choice is not None:
            request.tool_choice = ToolChoice(choice)
        elif type(value) is dict:
            request.tool_choice = _chosen(Members(value, body.path(name), body.wrong), value, rest)
        else:
            raise body.wrong(body.path(name), '"auto", "none", "required" or an object')


def _chosen(members: Members, raw: dict[str, Json], rest: Rest) -> ToolChoice | None:
    """A free choice among fewer tools than were sent has no slot: it is kept as it came."""
    kind = members.text("type") or "function"
    if kind in ("function", "custom"):
        inner = members if "name" in members else members.needed(kind)
        return ToolChoice("tool", [inner.needed_text("name")])
    if kind != "allowed_tools":
        rest.extra[members.at] = raw
        return None
    allowed = members.needed("allowed_tools")
    mode, names = allowed.text("mode"), [_allowed(tool) for tool in allowed.each("tools")]
    if mode == "required" and all(names):
        return ToolChoice("any", names)
    rest.extra[members.at] = raw
    return None


def _allowed(tool: Members) -> str:
    """The name of an allowed tool, "" where it is a vendor's own."""
    kind = tool.text("type")
    inner = tool.inner(kind) if kind in ("function", "custom") else None
    return inner.text("name") if inner is not None else ""


def read_format(body: Members, request: Request, rest: Rest) -> None:
    raw = body.mapping("response_format")
    if raw is None:
        return
    members = Members(raw, body.path("response_format"), body.wrong)
    kind = members.needed_text("type")
    if kind in FORMATS:
        request.format = Format(FORMATS[kind])
    elif kind == "json_schema":
        inner = members.needed("json_schema")
        request.format = Format("schema", name=inner.text("name"), description=inner.text("description"))
        request.format.schema, request.format.strict = inner.mapping("schema"), inner.flag("strict")
        keep(inner, rest)
    else:
        rest.extra[members.at] = raw
        return
    keep(members, rest)
