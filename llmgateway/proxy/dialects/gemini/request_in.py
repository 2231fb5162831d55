"""Reads a generateContent body into a request. Which model is asked, and whether it streams, its address says."""

from __future__ import annotations

from dataplane.errors import BadRequest
from llmgateway.proxy.conversation.parts import AnyPart, Json, Reasoning, Text, ToolCall, ToolResult
from llmgateway.proxy.conversation.request import ASSISTANT, USER, Message, Request, Tool, VendorTool
from llmgateway.proxy.dialects.gemini.config_in import read_config, read_tool_config
from llmgateway.proxy.dialects.gemini.names import VENDOR, made_id
from llmgateway.proxy.dialects.gemini.parts_in import Found, read_part
from llmgateway.proxy.dialects.gemini.reading import Members, camel, join
from llmgateway.proxy.dialects.gemini.schemas import to_json_schema

ROLES = {"user": USER, "function": USER, "model": ASSISTANT, "": USER}
HINTS = ("labels", "store")
GOOGLE_SCHEMA, JSON_SCHEMA = "parameters", "parametersJsonSchema"


def parse_request(body: Json, model: str, stream: bool) -> Request:
    """Raises BadRequest for a body of wrong types."""
    top = Members(body, "")
    told = (top.text("model") or "").removeprefix("models/")
    request = Request(model=model or told, stream=stream)
    _read_instructions(top, request)
    _Contents(request).read(top)
    _read_tools(top, request)
    read_tool_config(top, request)
    read_config(top, request)
    request.named["service_tier"] = top.where("serviceTier")
    request.service_tier = top.text("serviceTier") or ""
    for name in HINTS:
        path, value = top.where(name), top.take(name)
        if value is not None:
            request.hints[path] = value
    top.leave(request.extra)
    return request


def _read_instructions(top: Members, request: Request) -> None:
    """A content whose role says nothing, or the text alone."""
    if isinstance(top.left.get("systemInstruction"), str) or isinstance(top.left.get("system_instruction"), str):
        request.system = [Text(text=top.take("systemInstruction"), at=top.where("systemInstruction"))]
        return
    content = top.inner("systemInstruction")
    if content is None:
        return
    content.text("role")
    for part in content.many("parts"):
        given, rest = dict(part.left), dict[str, Json]()
        found = read_part(part, made="", rest=rest).part
        if isinstance(found, Text):
            request.system.append(found)
            request.extra.update(rest)
        else:
            request.extra[part.path] = given
    content.leave(request.extra)


class _Contents:
    """Makes messages of contents: a run of one role is one message, as a caller that records each chunk of a stream as a
    content of its own means it. A function's response that names no call answers the first open one of its name."""

    __slots__ = ("_open", "_request")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._open: list[ToolCall] = []

    def read(self, top: Members) -> None:
        for number, content in enumerate(top.many("contents")):
            path, word = content.where("role"), content.text("role")
            role = ROLES.get(word or "")
            if role is None:
                raise BadRequest(f"The field {path} must be user or model.", param=path, code="invalid_value")
            message = self._message(role, content.path)
            for place, part in enumerate(content.many("parts")):
                made = made_id(number, place)
                self._add(message, read_part(part, made=made, rest=self._request.extra), made)
            content.leave(self._request.extra)

    def _message(self, role: str, path: str) -> Message:
        messages = self._request.messages
        if not messages or messages[-1].role != role:
            messages.append(Message(role=role, at=path, parts=[]))
        return messages[-1]

    def _add(self, message: Message, found: Found, made: str) -> None:
        part = found.part
        if isinstance(part, ToolCall):
            self._open.append(part)
        elif isinstance(part, ToolResult):
            self._answer(part, made)
        elif isinstance(part, Text | Reasoning) and found.sealed in ("part", "reasoning") and not part.text:
            _gather(message.parts, part)
        message.parts.append(part)

    def _answer(self, result: ToolResult, made: str) -> None:
        """Finds the call that is answered and takes it off the open ones."""
        if result.call_id:
            call = next((call for call in self._open if call.id == result.call_id), None)
        else:
            call = next((call for call in self._open if call.name == result.name), None)
            result.call_id = call.id if call is not None else made
        if call is not None:
            self._open.remove(call)
            result.name = result.name or call.name


def _gather(parts: list[AnyPart], last: Text | Reasoning) -> None:
    """A seal behind a streamed text comes with an empty text of its own. What was streamed before it is what it seals."""
    pieces: list[str] = []
    while parts and type(parts[-1]) is type(last) and parts[-1].signature is None:
        piece = parts.pop()
        pieces.append(piece.text)  # type: ignore[union-attr]
        last.at = piece.at
    last.text = "".join(reversed(pieces))


def _read_tools(top: Members, request: Request) -> None:
    for entry in top.many("tools"):
        for declaration in entry.many("functionDeclarations"):
            request.tools.append(_read_declaration(declaration, request))
        for name, value in entry.left.items():
            at = join(entry.path, name)
            request.tools.append(VendorTool(vendor=VENDOR, kind=camel(name), raw={name: value}, at=at))


def _read_declaration(declaration: Members, request: Request) -> Tool:
    name = declaration.text("name")
    if not name:
        path = declaration.where("name")
        raise BadRequest(f"The field {path} must be the function's name.", param=path, code="invalid_value")
    tool = Tool(name=name, description=declaration.text("description") or "", at=declaration.path)
    if declaration.has(JSON_SCHEMA):
        tool.schema = declaration.mapping(JSON_SCHEMA)
    elif declaration.has(GOOGLE_SCHEMA):
        request.named[f"{tool.at}.schema"] = GOOGLE_SCHEMA
        path = declaration.where(GOOGLE_SCHEMA)
        tool.schema = to_json_schema(declaration.take(GOOGLE_SCHEMA), path)
    declaration.leave(request.extra)
    return tool
