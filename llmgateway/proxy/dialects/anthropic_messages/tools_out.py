"""Tools and the choice among them, as Anthropic takes them."""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Request, Tool, VendorTool
from llmgateway.proxy.dialects.anthropic_messages.blocks_out import marker
from llmgateway.proxy.dialects.anthropic_messages.names import ANTHROPIC
from llmgateway.proxy.dialects.anthropic_messages.own import Own


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

    def _choice(self, tools: bool) -> dict[str, Json] | None:
        """None where nothing has to be said: without tools there is nothing to choose."""
        wanted, alone = self._request.tool_choice, self._request.parallel_tools is False
        if wanted is None:
            return {"type": "auto", "disable_parallel_tool_use": True} if alone and tools else None
        if not tools and wanted.mode in ("auto", "none"):
            return None
        if wanted.mode == "tool" or (wanted.mode == "any" and len(wanted.names) == 1):
            told: dict[str, Json] = {"type": "tool", "name": wanted.names[0]}
        else:
            told = {"type": wanted.mode}
            if wanted.names:
                self._losses.drop(self._request.field("tool_choice"), "the choice can not be limited to some of the tools")
        if alone and wanted.mode != "none":
            told["disable_parallel_tool_use"] = True
        return told


def _schema(schema: Json) -> dict[str, Json]:
    """Anthropic insists on an object."""
    if not isinstance(schema, dict):
        return {"type": "object", "properties": {}}
    return schema if schema.get("type") == "object" else {**schema, "type": "object"}
