"""Tools in namespaces (Codex groups the tools of an MCP server so), as one flat list that every vendor takes.

A tool `search` of the namespace `mcp__docs` is called `mcp__docs__search` in the conversation. The way back is by name; a
request's `named` tells the namespace of each path (`tools[2]`) that is one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from llmgateway.proxy.conversation.request import Request, Tool, VendorTool

_INNER = re.compile(r"((?:input\[\d+\]\.)?tools\[\d+\])\.tools\[\d+\]")


class Spaced(NamedTuple):
    namespace: str
    name: str


def joined(namespace: str, name: str) -> str:
    return f"{namespace}{name}" if namespace.endswith("__") else f"{namespace}__{name}"


def space_of(tool: Tool | VendorTool) -> str:
    """Path of the namespace that this tool came in, "" when in none."""
    match = _INNER.fullmatch(tool.at)
    return match[1] if match else ""


def namespaces(request: Request) -> dict[str, Spaced]:
    """By the joined name, of a request that came in this dialect."""
    found = {}
    for tool in request.tools:
        path = space_of(tool) if isinstance(tool, Tool) else ""
        namespace = request.named.get(path) if path else None
        if namespace is not None and isinstance(tool, Tool):
            found[tool.name] = Spaced(namespace, tool.name.removeprefix(joined(namespace, "")))
    return found
