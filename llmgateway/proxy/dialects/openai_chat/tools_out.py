"""Tools, the choice among them, and the shape of the answer, written."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Tool, VendorTool
from llmgateway.proxy.dialects.openai_chat.draft import Draft, Made
from llmgateway.proxy.dialects.openai_chat.names import CHAT
from llmgateway.proxy.dialects.openai_chat.tools_in import WEB_SEARCH

MODES = {"auto": "auto", "none": "none", "any": "required"}
UNNAMED = "answer"
"""The name of a schema that its caller gave none: this dialect insists on one."""


def write_tools(draft: Draft) -> Made:
    written, made = [], {}
    for tool in draft.request.tools:
        if draft.lacks("tools"):
            draft.losses.drop(tool.at, "it takes no tools")
        elif isinstance(tool, VendorTool):
            if tool.vendor != CHAT:
                draft.losses.drop(tool.at, "the tool runs at another vendor")
            elif tool.kind == WEB_SEARCH:
                made[WEB_SEARCH] = tool.raw
            else:
                written.append(draft.place(tool.at, dict(tool.raw)))
        elif tool.custom and not draft.openai:
            draft.losses.drop(tool.at, "it has no custom tools")
        else:
            written.append(draft.marked(tool, _custom(tool) if tool.custom else _function(draft, tool)))
    return {"tools": written} | made if written else made


def _function(draft: Draft, tool: Tool) -> Made:
    inner: Made = {"name": tool.name}
    if tool.description:
        inner["description"] = tool.description
    if tool.schema is not None:
        inner["parameters"] = tool.schema
    if tool.strict and draft.lacks("strict"):
        draft.losses.drop(f"{tool.at}.strict")
    elif tool.strict is not None:
        inner["strict"] = tool.strict
    return {"type": "function", "function": inner}


def _custom(tool: Tool) -> Made:
    inner: Made = {"name": tool.name}
    if tool.description:
        inner["description"] = tool.description
    if isinstance(tool.grammar, dict):
        inner["format"] = _nested(tool.grammar)
    return {"type": "custom", "custom": inner}


def _nested(grammar: dict[str, Json]) -> Made:
    if grammar.get("type") != "grammar" or "grammar" in grammar:
        return grammar
    return {"type": "grammar", "grammar": {name: value for name, value in grammar.items() if name != "type"}}


def write_choice(draft: Draft) -> Made:
    choice = draft.request.tool_choice
    if choice is None or (choice.mode in ("auto", "none") and draft.toolless):
        return {}
    field = draft.request.field("tool_choice")
    if draft.lacks("tool_choice"):
        if choice.mode != "auto":
            draft.losses.drop(field, "it leaves the choice to the model")
        return {}
    if choice.mode == "tool" or (choice.mode == "any" and len(choice.names) == 1):
        return {"tool_choice": _reference(draft, choice.names[0])}
    if not choice.names:
        return {"tool_choice": MODES[choice.mode]}
    if not draft.openai:
        draft.losses.drop(field, "it can not choose among some of the tools")
        return {}
    tools = [_reference(draft, name) for name in choice.names]
    mode = "required" if choice.mode == "any" else "auto"
    return {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}}


def _reference(draft: Draft, name: str) -> Made:
    tools = (tool for tool in draft.request.tools if isinstance(tool, Tool))
    kind = "custom" if any(tool.custom and tool.name == name for tool in tools) else "function"
    return {"type": kind, kind: {"name": name}}


def write_format(draft: Draft) -> Made:
    form = draft.request.format
    if form is None:
        return {}
    field = draft.request.field("format")
    if form.kind == "text" and draft.lacks("format"):
        return {}
    if draft.lacks("format") or (form.kind == "schema" and draft.lacks("json_schema")):
        draft.losses.drop(field, "it takes no schema of an answer" if form.kind == "schema" else "")
        return {}
    if form.kind != "schema":
        return {"response_format": {"type": "json_object" if form.kind == "json" else "text"}}
    inner: Made = {"name": form.name or UNNAMED}
    if form.description:
        inner["description"] = form.description
    inner["schema"] = form.schema if form.schema is not None else {}
    if form.strict and draft.lacks("strict"):
        draft.losses.drop(f"{field}.strict")
    elif form.strict is not None:
        inner["strict"] = form.strict
    return {"response_format": {"type": "json_schema", "json_schema": inner}}
