"""Converse's request, read. The model and whether it streams stand in the address.

A cache point is a block of its own behind what it marks. Model-specific fields that have a slot (Anthropic's `thinking` and
`top_k`) are read; all others, and what only Bedrock has (guardrails, prompts from its store), are kept by their path.
"""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.parts import Cache, Json, Text
from llmgateway.proxy.conversation.request import ASSISTANT, SYSTEM, USER, Format, Message, Request, Thinking, Tool, ToolChoice, VendorTool
from llmgateway.proxy.dialects.bedrock.blocks_in import Blocks, mark_cache
from llmgateway.proxy.dialects.bedrock.media import VENDOR
from llmgateway.proxy.dialects.members import Members, refused

ROLES = (USER, ASSISTANT, SYSTEM)
HINTS = ("performanceConfig", "requestMetadata", "projectIdentifier")
"""Members that do not change what is asked."""

SETTINGS = (
    ("max_output", "maxTokens", Members.integer),
    ("temperature", "temperature", Members.number),
    ("top_p", "topP", Members.number),
    ("stop", "stopSequences", Members.texts),
)
SHOWN = {"summarized": "auto", "omitted": "none"}
"""Anthropic's `thinking.display`."""


def parse_request(body: Json, model: str, stream: bool) -> Request:
    """Raises BadRequest."""
    whole = Members(body, "", refused)
    request = Request(model=model, stream=stream, extra={}, hints={}, named={})
    _system(whole, request)
    for message in whole.each("messages"):
        _message(message, request)
    if (config := whole.inner("inferenceConfig")) is not None:
        for slot, name, get in SETTINGS:
            request.named[slot] = config.path(name)
            setattr(request, slot, get(config, name))
        request.extra |= config.left()
    if (tools := whole.inner("toolConfig")) is not None:
        _tools(tools, request)
    _output(whole, request)
    _model_fields(whole, request)
    _tier(whole, request)
    for name in HINTS:
        if name in whole:
            request.hints[name] = whole.take(name)
    request.extra |= whole.left()
    return request


def _system(whole: Members, request: Request) -> None:
    for block in whole.each("system"):
        if "text" in block:
            request.system.append(Text(text=block.text("text"), at=block.at))
        elif "cachePoint" in block:
            mark_cache(block, request.system[-1] if request.system else None, request.extra)
        request.extra |= block.left()


def _message(told: Members, request: Request) -> None:
    role = told.needed_text("role")
    if role not in ROLES:
        raise refused(told.path("role"), f"one of {', '.join(ROLES)}")
    blocks = Blocks(refused)
    for place, raw in enumerate(told.array("content")):
        blocks.read(raw, f"{told.path('content')}[{place}]")
    request.messages.append(Message(role=role, parts=blocks.parts, at=told.at))
    request.extra |= blocks.left | told.left()


def _tools(config: Members, request: Request) -> None:
    for entry in config.each("tools"):
        if "toolSpec" in entry:
            request.tools.append(_tool(entry, request))
            request.extra |= entry.left()
        elif "cachePoint" in entry:
            _mark_tool(entry, request)
        else:
            kind = next(iter(entry.names), "")
            request.tools.append(VendorTool(vendor=VENDOR, kind=kind, raw={name: entry.take(name) for name in entry.names}, at=entry.at))
    if (choice := config.inner("toolChoice")) is not None:
        request.named["tool_choice"] = choice.at
        request.tool_choice = _choice(choice)
        request.extra |= choice.left()
    request.extra |= config.left()


def _tool(entry: Members, request: Request) -> Tool:
    spec = entry.needed("toolSpec")
    tool = Tool(name=spec.needed_text("name"), description=spec.text("description"), strict=spec.flag("strict"), at=entry.at)
    if (schema := spec.inner("inputSchema")) is not None:
        tool.schema = schema.mapping("json")
        request.extra |= schema.left()
    request.extra |= spec.left()
    return tool


def _mark_tool(entry: Members, request: Request) -> None:
    before = request.tools[-1] if request.tools else None
    point = entry.needed("cachePoint")
    if isinstance(before, Tool) and before.cache is None:
        point.take("type")
        before.cache = Cache(point.text("ttl") or "5m")
        request.extra |= point.left() | entry.left()
    else:
        request.extra[point.at] = {name: point.take(name) for name in point.names}


def _choice(choice: Members) -> ToolChoice | None:
    if (named := choice.inner("tool")) is not None:
        return ToolChoice("tool", [named.needed_text("name")])
    for mode in ("auto", "any"):
        if choice.take(mode) is not None:
            return ToolChoice(mode)
    return None


def _output(whole: Members, request: Request) -> None:
    config = whole.inner("outputConfig")
    if config is None:
        return
    if (effort := config.text("effort")) != "":
        request.named["thinking"] = config.path("effort")
        request.thinking = Thinking(effort=effort)
    if (asked := config.inner("textFormat")) is not None:
        request.named["format"] = asked.at
        schema = asked.needed("structure").needed("jsonSchema")
        asked.take("type")
        request.format = Format("schema", name=schema.text("name"), description=schema.text("description"))
        request.format.schema = _schema(schema)
        request.extra |= schema.left() | asked.left()
    request.extra |= config.left()


def _schema(told: Members) -> Json:
    """It stands in the request as JSON text."""
    path = told.path("schema")
    try:
        return msgspec.json.decode(told.needed_text("schema"))
    except (msgspec.DecodeError, RecursionError):
        raise refused(path, "a JSON Schema as JSON text") from None


def _model_fields(whole: Members, request: Request) -> None:
    """`additionalModelRequestFields` may be any JSON. A field that is not understood to its last member stays as it came."""
    fields = whole.take("additionalModelRequestFields")
    if type(fields) is not dict:
        if fields is not None:
            request.extra["additionalModelRequestFields"] = fields
        return
    for name, value in fields.items():
        path = f"additionalModelRequestFields.{name}"
        if name == "top_k" and type(value) is int:
            request.top_k = value
            request.named["top_k"] = path
        elif name == "thinking" and (found := _thinking(value)) is not None:
            effort = request.thinking.effort if request.thinking is not None else ""
            request.thinking = msgspec.structs.replace(found, effort=effort)
            request.named["thinking"] = path
        else:
            request.extra[path] = value


def _thinking(value: Json) -> Thinking | None:
    if type(value) is not dict or set(value) - {"type", "budget_tokens", "display"}:
        return None
    kind, budget, shown = value.get("type"), value.get("budget_tokens"), value.get("display")
    if (budget is not None and type(budget) is not int) or (shown is not None and shown not in SHOWN):
        return None
    show = SHOWN[shown] if shown is not None else ""
    match kind:
        case "enabled":
            return Thinking(enabled=True, budget=budget, show=show)
        case "adaptive" if budget is None:
            return Thinking(enabled=True, adaptive=True, show=show)
        case "disabled" if budget is None and not show:
            return Thinking(enabled=False)
    return None


def _tier(whole: Members, request: Request) -> None:
    if (tier := whole.inner("serviceTier")) is not None:
        request.named["service_tier"] = tier.path("type")
        request.service_tier = tier.text("type")
        request.extra |= tier.left()
