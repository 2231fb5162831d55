"""The messages of a chat, read into the conversation.

System and developer messages at the head are the instructions: their texts, one after the other, are `Request.system`.
The head ends at the first message of another role, and at one that holds more than texts or that has a `name` (such
messages are examples of a talk); those stay where they are. Runs of tool messages are one user message of results.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import AnyPart, File, Image, Text, ToolCall, ToolResult
from llmgateway.proxy.conversation.request import ASSISTANT, DEVELOPER, SYSTEM, USER, Message, Request
from llmgateway.proxy.dialects.members import Members
from llmgateway.proxy.dialects.openai_chat.assistant_in import assistant
from llmgateway.proxy.dialects.openai_chat.content_in import Rest, content, keep, mark

TOOL, FUNCTION = "tool", "function"
ROLES = '"system", "developer", "user", "assistant" or "tool"'
INSTRUCTING = (SYSTEM, DEVELOPER)


def read_messages(body: Members, request: Request, rest: Rest) -> None:
    reading = _Reading(request, rest)
    if "messages" not in body:
        raise body.wrong(body.path("messages"), "an array")
    for place, message in enumerate(body.each("messages")):
        reading.add(message, place)


class _Reading:
    """`_called` are the calls so far: a result is told the name and the kind of its call."""

    __slots__ = ("_called", "_head", "_request", "_rest", "_results")

    def __init__(self, request: Request, rest: Rest) -> None:
        self._request = request
        self._rest = rest
        self._called: dict[str, ToolCall] = {}
        self._head = True
        self._results: Message | None = None

    def add(self, message: Members, place: int) -> None:
        role = message.needed_text("role")
        if role in (TOOL, FUNCTION):
            self._result(message, role)
            return
        self._results = None
        if role == ASSISTANT:
            name, parts = message.text("name"), self._said(message, place)
        elif role in (*INSTRUCTING, USER):
            parts = content(message, "content", self._rest)
            name = message.text("name")
            cached(message, parts, self._rest)
            keep(message, self._rest)
        else:
            raise message.wrong(message.path("role"), ROLES)
        self._place(Message(role=role, parts=parts, name=name, at=message.at))

    def _said(self, message: Members, place: int) -> list[AnyPart]:
        """Mistral's `prefix` asks for something only where it is true: to go on from this message."""
        found = mark(message, self._rest)
        prefix = message.flag("prefix")
        if prefix:
            self._rest.extra[message.path("prefix")] = prefix
        parts = assistant(message, self._rest, stem=f"call_{place}", unsealed=True)
        if found is not None and parts and parts[-1].cache is None:
            parts[-1].cache = found
        self._called |= {part.id: part for part in parts if isinstance(part, ToolCall)}
        return parts

    def _place(self, message: Message) -> None:
        texts = [part for part in message.parts if isinstance(part, Text)]
        self._head = self._head and message.role in INSTRUCTING and not message.name and len(texts) == len(message.parts)
        if self._head:
            self._request.system += texts
        else:
            self._request.messages.append(message)

    def _result(self, message: Members, role: str) -> None:
        self._head = False
        result = self._legacy(message) if role == FUNCTION else ToolResult(call_id=message.needed_text("tool_call_id"))
        call = self._called.get(result.call_id)
        named = message.text("name")
        result.name = named or (call.name if call is not None else "")
        result.custom = call is not None and call.custom
        result.at, result.cache = message.at, mark(message, self._rest)
        result.content = [self._plain(part, message) for part in content(message, "content", self._rest)]
        keep(message, self._rest)
        if self._results is None:
            self._results = Message(role=USER, parts=[], at=message.at)
            self._request.messages.append(self._results)
        self._results.parts.append(result)

    def _legacy(self, message: Members) -> ToolResult:
        """Of a `function` message: it answers the last call of its name."""
        name = message.needed_text("name")
        found = [call.id for call in self._called.values() if call.name == name]
        return ToolResult(call_id=found[-1] if found else f"call_{name}", name=name)

    def _plain(self, part: AnyPart, message: Members) -> Text | Image | File:
        if isinstance(part, Text | Image | File):
            return part
        raise message.wrong(part.at, "a text, an image or a file")


def cached(message: Members, parts: list[AnyPart], rest: Rest) -> None:
    """A cache mark on a whole message (LiteLLM) is one behind its last part."""
    found = mark(message, rest)
    if found is not None and parts and parts[-1].cache is None:
        parts[-1].cache = found
