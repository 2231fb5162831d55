"""Tools, the choice among them, thinking and the shape of the answer: what a request says beside its messages."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.conversation.request import Format, Request, Thinking, Tool, ToolChoice, VendorTool
from llmgateway.proxy.dialects.anthropic_messages.blocks_in import cache_of
from llmgateway.proxy.dialects.anthropic_messages.names import ANTHROPIC
from llmgateway.proxy.dialects.anthropic_messages.reading import Members, Rest, bad

EFFORTS = frozenset(("low", "medium", "high", "xhigh", "max"))
SHOWN = {"summarized": "auto", "omitted": "none"}


def tool(raw: Json, at: str, rest: Rest) -> Tool | VendorTool:
    """A tool without a type, or of type custom, is the caller's; every other type is a version of a tool of Anthropic's."""
    given = Members(raw, at, bad)
    kind = given.text("type")
    if kind not in ("", "custom"):
        return VendorTool(vendor=ANTHROPIC, kind=kind, raw=raw, at=at)
    found = Tool(name=given.needed("name"), description=given.text("description"), at=at)
    found.schema = given.object("input_schema")
    found.strict = given.flag("strict")
    found.cache = cache_of(given, rest)
    # How a tool is told to the model and streamed back; what may be called stays the same.
    given.hint(rest, "defer_loading", "eager_input_streaming")
    given.leave(rest.extra)
    return found


def tool_choice(given: Members, request: Request, rest: Rest) -> None:
    choice = given.members("tool_choice")
    if choice is None:
        return
    mode, name = choice.needed("type"), choice.text("name")
    if mode not in ("auto", "any", "tool", "none"):
        raise bad(choice.at("type"), "one of auto, any, tool, none")
    if mode == "tool" and not name:
        raise bad(choice.at("name"), "the name of a tool")
    request.tool_choice = ToolChoice(mode, [name] if mode == "tool" else [])
    alone = choice.flag("disable_parallel_tool_use")
    request.parallel_tools = None if alone is None else not alone
    choice.leave(rest.extra)


def thinking(given: Members, request: Request, rest: Rest) -> None:
    """The kinds that have no slot (between_tools) stay whole."""
    raw = given.object("thinking")
    if raw is None:
        return
    said = Members(raw, given.at("thinking"), bad)
    kind, budget, shown = said.needed("type"), said.whole("budget_tokens"), said.text("display")
    if kind not in ("enabled", "disabled", "adaptive") or (shown and shown not in SHOWN):
        rest.extra[said.path] = raw
        return
    request.thinking = Thinking(enabled=kind != "disabled", budget=budget, adaptive=kind == "adaptive", show=SHOWN.get(shown, ""))
    said.leave(rest.extra)


def output(given: Members, request: Request, rest: Rest) -> None:
    """`output_config` and its forerunner `output_format`. Where effort is said without thinking, only the effort was said."""
    config = given.members("output_config")
    if config is not None:
        effort = config.text("effort")
        if effort in EFFORTS:
            if request.thinking is None:
                request.thinking = Thinking()
                request.named["thinking"] = config.at("effort")
            request.thinking.effort = effort
        elif effort:
            rest.extra[config.at("effort")] = effort
        _format(config, "format", request, rest)
        config.hint(rest, "task_budget")
        config.leave(rest.extra)
    _format(given, "output_format", request, rest)


def _format(given: Members, name: str, request: Request, rest: Rest) -> None:
    raw = given.object(name)
    if raw is None:
        return
    path = given.at(name)
    said = Members(raw, path, bad)
    if said.needed("type") != "json_schema" or request.format is not None:
        rest.extra[path] = raw
        return
    schema = said.object("schema")
    if schema is None:
        raise bad(said.at("schema"), "an object")
    request.format = Format("schema", schema=schema)
    request.named["format"] = path
    said.leave(rest.extra)
