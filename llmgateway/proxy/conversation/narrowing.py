"""A choice among some of the tools, for targets that choose among all of them or one.

To offer only those that may be called asks for the same.
"""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.request import Request, Tool, ToolChoice


def narrowed(request: Request) -> Request | None:
    """With only the chosen tools on offer; None where that says nothing else than the request itself."""
    choice = request.tool_choice
    if choice is None or not choice.names or choice.mode == "none":
        return None
    offered = [tool for tool in request.tools if isinstance(tool, Tool) and tool.name in choice.names]
    if not offered or {tool.name for tool in offered} != set(choice.names):
        return None
    mode = "auto" if choice.mode == "auto" else "any"
    return msgspec.structs.replace(request, tools=offered, tool_choice=ToolChoice(mode))
