"""The `input` of a request: a flat list of items, read into messages.

Consecutive items of the model are one assistant message, a run of results is one user message. System and developer messages at
the head are instructions, beside those of the field of that name; `named` keeps the role of each by its path.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.parts import (
    AnyPart,
    File,
    Image,
    Json,
    Reasoning,
    Refused,
    Signature,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.conversation.request import ASSISTANT, DEVELOPER, SYSTEM, USER, Message, Request
from llmgateway.proxy.dialects.openai_responses.content_in import content_parts
from llmgateway.proxy.dialects.openai_responses.items_in import finish, said_parts
from llmgateway.proxy.dialects.openai_responses.members import Found, Members, WrongType
from llmgateway.proxy.dialects.openai_responses.names import NAME
from llmgateway.proxy.dialects.openai_responses.namespaces import Spaced, joined, namespaces
from llmgateway.proxy.dialects.openai_responses.sealing import AFTER, BEFORE, unseal

ROLES = (SYSTEM, DEVELOPER, USER, ASSISTANT)
RESULTS = "results"
CALLERS = frozenset(
    {"additional_tools", "compaction", "compaction_trigger", "item_reference", "mcp_approval_response", "configuration_update"}
)
"""The vendor's own items that a caller puts in; the others were made by the model or, where they end in _output, answer it."""


def read_input(value: Json, request: Request, found: Found) -> list[Message]:
    if value is None:
        return []
    if isinstance(value, str):
        return [Message(role=USER, parts=[Text(text=value, at="input")], at="input")]
    if not isinstance(value, list):
        raise WrongType("input", "a string or an array")
    reading = _Input(found, namespaces(request), request)
    for place, item in enumerate(value):
        reading.add(item, f"input[{place}]")
    return reading.finish()


class _Input:
    def __init__(self, found: Found, spaces: dict[str, Spaced], request: Request) -> None:
        self._found = found
        self._request = request
        self._spaces = frozenset(spaces.values())
        self._messages: list[Message] = []
        self._group = ""
        self._names: dict[str, str] = {}
        self._pending: Reasoning | None = None

    def finish(self) -> list[Message]:
        self._drop_pending()
        return self._messages

    def add(self, item: Json, path: str) -> None:
        members = Members(item, path)
        kind = members.text("type")
        role = item.get("role")
        if kind == "message" or (not kind and role is not None):
            self._message(members, item, path)
        elif kind in ("function_call_output", "custom_tool_call_output"):
            self._result(members, kind, path)
        elif kind or item.get("id") is not None:
            self._other(item, kind or "item_reference", path)
        else:
            raise WrongType(members.at("type"), "the type of an item")

    def _message(self, members: Members, item: Json, path: str) -> None:
        role = members.needed("role")
        if role not in ROLES:
            raise WrongType(members.at("role"), "user, system, developer or assistant")
        if role == ASSISTANT:
            self._assistant(item, path)
            return
        parts = content_parts(members.take("content"), members.at("content"), self._found)
        message = Message(role=role, parts=parts, id=members.text("id"), at=path)
        finish(members, self._found)
        if role == USER or self._messages or not self._instruct(message):
            self._place(message, "")

    def _instruct(self, message: Message) -> bool:
        """Instructions at the head are the request's own, where they are texts: whether they were taken as that."""
        texts = [part for part in message.parts if isinstance(part, Text)]
        if not texts or len(texts) != len(message.parts) or self._pending is not None:
            return False
        if message.id:
            self._found.hints[f"{message.at}.id"] = message.id
        self._request.system += texts
        self._request.named[message.at] = message.role
        return True

    def _assistant(self, item: Json, path: str) -> None:
        """The id of the first message item is the message's; those of others are kept by their paths."""
        parts = said_parts({**item, "type": "message"}, path, self._found)
        self._say(parts, path)
        message = self._messages[-1]
        before = message.parts[: len(message.parts) - len(parts)]
        if not any(isinstance(part, Text | Refused) for part in before):
            message.id = str(self._found.hints.pop(f"{path}.id", ""))

    def _other(self, item: Json, kind: str, path: str) -> None:
        if path in self._found.hints:
            return  # its tools are among the request's
        if kind in CALLERS or kind.endswith("_output"):
            special = Special(vendor=NAME, kind=kind, raw=item, at=path)
            self._place(Message(role=USER, parts=[special], at=path), RESULTS if kind not in CALLERS else "")
            return
        (part,) = said_parts({**item, "type": kind}, path, self._found)
        if isinstance(part, ToolCall):
            self._call(part, item, path)
        elif isinstance(part, Reasoning):
            self._reasoning(part, path)
            return
        self._say([part], path)

    def _call(self, part: ToolCall, item: Json, path: str) -> None:
        """A namespace that is among the tools is part of the name; one that is not says where the tool was found."""
        namespace = item.get("namespace")
        if isinstance(namespace, str) and Spaced(namespace, part.name) in self._spaces:
            part.name = joined(namespace, part.name)
            del self._found.hints[f"{path}.namespace"]
        self._names[part.id] = part.name

    def _reasoning(self, part: Reasoning, path: str) -> None:
        part, kind = unseal(part)
        if kind == AFTER and self._attach(part.signature):
            return
        self._drop_pending()
        if kind == BEFORE:
            self._pending = part
            return
        part.redacted = part.redacted or kind == AFTER
        self._say([part], path)

    def _attach(self, signature: Signature | None) -> bool:
        """To the part before it, which the model said; whether there is one."""
        last = self._messages[-1].parts[-1:] if self._group == ASSISTANT else []
        if not last or isinstance(last[0], Reasoning):
            return False
        last[0].signature = signature
        return True

    def _result(self, members: Members, kind: str, path: str) -> None:
        call_id = members.text("call_id")
        result = ToolResult(call_id=call_id, name=self._names.get(call_id, ""), custom=kind.startswith("custom"), at=path)
        output = members.take("output")
        for place, part in enumerate(content_parts(output, members.at("output"), self._found)):
            if isinstance(part, Text | Image | File):
                result.content.append(part)
            else:
                self._found.extra[part.at] = output[place]
        members.hint(self._found, "id", "name", "namespace")
        finish(members, self._found)
        self._place(Message(role=USER, parts=[result], at=path), RESULTS)

    def _say(self, parts: list[AnyPart], path: str) -> None:
        if self._pending is not None and parts and not isinstance(parts[0], Reasoning):
            parts[0].signature, self._pending = self._pending.signature, None
        self._place(Message(role=ASSISTANT, parts=parts, at=path), ASSISTANT)

    def _drop_pending(self) -> None:
        """A signature of a part that never came is kept as what it looks like: reasoning that nobody can read."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.redacted = True
            self._place(Message(role=ASSISTANT, parts=[pending], at=pending.at), ASSISTANT)

    def _place(self, message: Message, group: str) -> None:
        """Into the last message where both are of one group, "" being none."""
        if self._pending is not None and group != ASSISTANT:
            self._drop_pending()
        if group and group == self._group:
            self._messages[-1].parts += message.parts
        else:
            self._messages.append(message)
        self._group = group
