"""Tools and the choice among them, as Anthropic takes them."""

from __future__ import annotations

import re

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request, Tool, VendorTool
from llmgateway.proxy.dialects.anthropic_messages.blocks_out import marker
from llmgateway.proxy.dialects.anthropic_messages.names import ANTHROPIC
from llmgateway.proxy.dialects.anthropic_messages.own import Own

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_BY_NAME, _IN_LISTS = ("properties", "$defs", "definitions"), ("anyOf", "allOf", "oneOf", "prefixItems")


def closed(schema: Json) -> Json:
    """A schema as Anthropic insists on it where it holds a model to one: objects say that they take nothing else."""
    if not isinstance(schema, dict):
        return schema
    told = dict(schema)
    for name in _BY_NAME:
        if isinstance(inner := told.get(name), dict):
            told[name] = {member: closed(value) for member, value in inner.items()}
    for name in _IN_LISTS:
        if isinstance(several := told.get(name), list):
            told[name] = [closed(value) for value in several]
    if "items" in told:
        told["items"] = closed(told["items"])
    if told.get("type") == "object" or "properties" in told:
        told.setdefault("additionalProperties", False)
    return told


class ToolsOut:
    """`lacks` are the target's."""

    def __init__(self, request: Request, own: Own, losses: Losses, lacks: frozenset[str]) -> None:
        self._request = request
        self._own = own
        self._losses = losses
        self._lacks = lacks

    def write(self, body: dict[str, Json]) -> None:
        """Sets `tools` and `tool_choice`."""
        written = [told for tool in self._request.tools if (told := self._tool(tool)) is not None]
        if written:
            body["tools"] = written
        choice = self._choice(bool(written))
        if choice is not None:
            body["tool_choice"] = choice

    def _tool(self, tool: Tool | VendorTool) -> dict[str, Json] | None:
        if isinstance(tool, VendorTool):
            if tool.vendor == ANTHROPIC:
                return dict(tool.raw)
            self._losses.drop(tool.at, f"{tool.kind} is a tool of {tool.vendor}'s own")
            return None
        if tool.custom:
            self._losses.drop(tool.at, "its tools take a JSON object and no free text")
            return None
        if not self._own.is_own and not _NAME.fullmatch(tool.name):
            self._losses.drop(f"{tool.at}.name", "names of tools are made of at most 128 letters, digits, _ and -")
            return None
        told: dict[str, Json] = {"name": tool.name, "input_schema": _schema(tool.schema)}
        if tool.description:
            told["description"] = tool.description
        if tool.strict:
            self._strict(told, tool)
        if tool.cache is not None:
            told["cache_control"] = marker(tool.cache)
        self._own.into(told, tool.at)
        return told

    def _strict(self, told: dict[str, Json], tool: Tool) -> None:
        if "strict" in self._lacks:
            self._losses.drop(f"{tool.at}.strict", "it does not hold arguments to their schema")
        else:
            told["strict"] = True
            told["input_schema"] = told["input_schema"] if self._own.is_own else closed(told["input_schema"])

    def _choice(self, tools: bool) -> dict[str, Json] | None:
        """None where nothing has to be said: without tools there is nothing to choose."""
        wanted, alone = self._request.tool_choice, self._request.parallel_tools is False
        if wanted is None:
            return {"type": "auto", "disable_parallel_tool_use": True} if alone and tools else None
        if not tools and wanted.mode in ("auto", "none"):
            return None
        if wanted.mode in ("any", "tool") and len(wanted.names) == 1:
            told: dict[str, Json] = {"type": "tool", "name": wanted.names[0]}
        else:
            told = {"type": "any" if wanted.mode == "tool" else wanted.mode}
            if wanted.names and not self._all(wanted.names):
                self._losses.drop(self._request.field("tool_choice"), "the choice can not be limited to some of the tools")
        if alone and wanted.mode != "none":
            told["disable_parallel_tool_use"] = True
        return told

    def _all(self, names: list[str]) -> bool:
        """Whether these are all tools that there are: then naming them limits nothing."""
        return all(isinstance(tool, Tool) and tool.name in names for tool in self._request.tools)


def _schema(schema: Json) -> dict[str, Json]:
    """Anthropic insists on an object."""
    if not isinstance(schema, dict):
        return {"type": "object", "properties": {}}
    return schema if schema.get("type") == "object" else {**schema, "type": "object"}
