"""Tools whose input is free text (OpenAI's custom tools, Codex's apply_patch), for targets that know functions alone.

Such a tool becomes a function with one string argument, `input`; the model's call is turned back before its caller sees it.
A grammar can't hold the model then: it is told to it in the description.
"""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.answer import Answer
from llmgateway.proxy.conversation.events import Beat, Close, Delta, Event, Open
from llmgateway.proxy.conversation.parts import AnyPart, Json, ToolCall, ToolResult
from llmgateway.proxy.conversation.request import Message, Request, Tool

SCHEMA: Json = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The whole input of the tool, as free text."}},
    "required": ["input"],
    "additionalProperties": False,
}


def custom_names(request: Request) -> frozenset[str]:
    return frozenset(tool.name for tool in request.tools if isinstance(tool, Tool) and tool.custom)


def as_functions(request: Request) -> Request:
    """The request itself where it has nothing custom; otherwise another one, that shares what is the same."""
    tools = [_tool(tool) if isinstance(tool, Tool) and tool.custom else tool for tool in request.tools]
    messages = [_message(message) for message in request.messages]
    same = all(new is old for new, old in zip((*tools, *messages), (*request.tools, *request.messages), strict=True))
    return request if same else msgspec.structs.replace(request, tools=tools, messages=messages)


def _tool(tool: Tool) -> Tool:
    grammar = tool.grammar if isinstance(tool.grammar, dict) else {}
    definition = grammar.get("definition")
    parts = [tool.description]
    if isinstance(definition, str):
        parts.append(f"The input must follow this {grammar.get('syntax') or 'formal'} grammar:\n{definition}")
    described = "\n\n".join(part for part in parts if part)
    return msgspec.structs.replace(tool, custom=False, grammar=None, schema=SCHEMA, description=described)


def _message(message: Message) -> Message:
    if not any(isinstance(part, ToolCall | ToolResult) and part.custom for part in message.parts):
        return message
    return msgspec.structs.replace(message, parts=[_part(part) for part in message.parts])


def _part(part: AnyPart) -> AnyPart:
    match part:
        case ToolCall(custom=True):
            arguments = msgspec.json.encode({"input": part.arguments}).decode()
            return msgspec.structs.replace(part, custom=False, arguments=arguments)
        case ToolResult(custom=True):
            return msgspec.structs.replace(part, custom=False)
        case _:
            return part


def as_custom(names: frozenset[str], part: AnyPart) -> AnyPart:
    """A call of one of these tools as its caller knows it. A model that wrote no such object meant its text itself."""
    if not isinstance(part, ToolCall) or part.custom or part.name not in names:
        return part
    return msgspec.structs.replace(part, custom=True, arguments=_input_of(part.arguments))


def _input_of(arguments: str) -> str:
    try:
        value = msgspec.json.decode(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return arguments
    held = value.get("input") if isinstance(value, dict) else None
    return held if isinstance(held, str) else arguments


def answer_as_customs(names: frozenset[str], answer: Answer) -> Answer:
    if not names:
        return answer
    candidates = [
        msgspec.structs.replace(candidate, parts=[as_custom(names, part) for part in candidate.parts]) for candidate in answer.candidates
    ]
    return msgspec.structs.replace(answer, candidates=candidates)


class CustomStream:
    """Turns the calls in a stream back. Their arguments are held until the call is whole, for the JSON text around the
    input is nothing a caller should see; meanwhile the caller is told that the stream lives."""

    __slots__ = ("_held", "_names")

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._held: dict[tuple[int, int], list[str]] = {}

    def tell(self, event: Event) -> list[Event]:
        match event:
            case Open(part=ToolCall() as part) if not part.custom and part.name in self._names:
                self._held[event.candidate, event.index] = [part.arguments]
                return [Open(event.candidate, event.index, msgspec.structs.replace(part, custom=True, arguments=""))]
            case Delta() if (event.candidate, event.index) in self._held:
                self._held[event.candidate, event.index].append(event.text)
                return [Beat()]
            case Close() if (event.candidate, event.index) in self._held:
                text = _input_of("".join(self._held.pop((event.candidate, event.index))))
                return [*([Delta(event.candidate, event.index, text)] if text else []), event]
            case _:
                return [event]
