"""Cohere's chat request (v2), read."""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import Json, Text, ToolResult
from llmgateway.proxy.conversation.request import ASSISTANT, SYSTEM, USER, Format, Message, Request, Thinking, Tool, ToolChoice
from llmgateway.proxy.dialects.cohere.message_in import MessageParts
from llmgateway.proxy.dialects.members import Members, refused

TOOL = "tool"
ROLES = (SYSTEM, USER, ASSISTANT, TOOL)
SETTINGS = (
    ("max_output", "max_tokens", Members.integer),
    ("temperature", "temperature", Members.number),
    ("top_p", "p", Members.number),
    ("top_k", "k", Members.integer),
    ("stop", "stop_sequences", Members.texts),
    ("seed", "seed", Members.integer),
    ("presence_penalty", "presence_penalty", Members.number),
    ("frequency_penalty", "frequency_penalty", Members.number),
    ("logprobs", "logprobs", Members.flag),
)
HINTS = ("priority",)
CHOICES = {"REQUIRED": "any", "NONE": "none"}


def parse_request(body: Json, model: str, stream: bool) -> Request:
    """Model and stream are read from the body. Raises BadRequest."""
    whole = Members(body, "", refused)
    named = {"thinking": "thinking", "format": "response_format", "tool_choice": "tool_choice"}
    request = Request(model=whole.text("model"), stream=whole.flag("stream") is True, extra={}, hints={}, named=named)
    _messages(whole, request)
    for slot, name, get in SETTINGS:
        request.named[slot] = name
        setattr(request, slot, get(whole, name))
    _tools(whole, request)
    _format(whole, request)
    _thinking(whole, request)
    for name in HINTS:
        if name in whole:
            request.hints[name] = whole.take(name)
    request.extra |= whole.left()
    return request


def _messages(whole: Members, request: Request) -> None:
    """System messages at the head are the instructions; a run of tools' messages is one message of the user's."""
    for told in whole.each("messages"):
        role = told.needed_text("role")
        if role not in ROLES:
            raise refused(told.path("role"), f"one of {', '.join(ROLES)}")
        reading = MessageParts(refused)
        if role == ASSISTANT:
            reading.said(told)
        elif role == TOOL:
            reading.result(told)
        else:
            reading.content(told)
        request.extra |= reading.left | told.left()
        _add(request, role, reading, told.at)


def _add(request: Request, role: str, reading: MessageParts, at: str) -> None:
    texts = [part for part in reading.parts if isinstance(part, Text)]
    if role == SYSTEM and not request.messages and len(texts) == len(reading.parts):
        request.system += texts
        return
    before = request.messages[-1] if request.messages else None
    if role == TOOL and before is not None and _is_run(before):
        before.parts += reading.parts
        return
    request.messages.append(Message(role=USER if role == TOOL else role, parts=reading.parts, at=at))


def _is_run(message: Message) -> bool:
    return bool(message.parts) and all(isinstance(part, ToolResult) for part in message.parts)


def _tools(whole: Members, request: Request) -> None:
    strict = whole.flag("strict_tools")
    for entry in whole.each("tools"):
        entry.text("type")
        function = entry.needed("function")
        tool = Tool(name=function.needed_text("name"), description=function.text("description"), strict=strict, at=entry.at)
        tool.schema = function.mapping("parameters")
        request.tools.append(tool)
        request.extra |= function.left() | entry.left()
    if strict is not None and not request.tools:
        request.extra["strict_tools"] = strict
    if (choice := whole.text("tool_choice")) != "":
        if choice not in CHOICES:
            raise refused("tool_choice", f"one of {', '.join(CHOICES)}")
        request.tool_choice = ToolChoice(CHOICES[choice])


def _format(whole: Members, request: Request) -> None:
    told = whole.inner("response_format")
    if told is None:
        return
    kind = told.needed_text("type")
    schema = told.mapping("json_schema")
    if kind not in ("text", "json_object"):
        raise refused(told.path("type"), "one of text, json_object")
    request.format = Format("text" if kind == "text" else "json" if schema is None else "schema", schema)
    request.extra |= told.left()


def _thinking(whole: Members, request: Request) -> None:
    told = whole.inner("thinking")
    if told is None:
        return
    kind = told.needed_text("type")
    if kind not in ("enabled", "disabled"):
        raise refused(told.path("type"), "one of enabled, disabled")
    request.thinking = Thinking(enabled=kind == "enabled", budget=told.integer("token_budget"))
    request.extra |= told.left()
