"""What a conversation asks for, apart from how a dialect words it. The one list of what may differ on the way, with why.

Two conversations whose `plainly` are equal ask for the same. What was told as a hint (`x-customhouse-dropped`) is
compared nowhere: its caller knows.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from llmgateway.proxy.conversation.parts import AnyPart, File, Image, Reasoning, Refused, Text, ToolCall, ToolResult
from llmgateway.proxy.conversation.request import ASSISTANT, DEVELOPER, SYSTEM, USER, Message, Request, Tool, VendorTool
from llmgateway.proxy.conversation.shown import BELOW

SAME_SLOTS = (
    "max_output",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "parallel_tools",
    "stream",
)
"""Compared as they are."""

_DEMOTED = re.compile(r"<(system|developer)>\n(.*)\n</\1>", re.S)


def plainly(request: Request, hints: Collection[str], asked: Request) -> dict[str, Any]:
    """`hints` are the places that were told as such, by their names in `asked`, the conversation as its caller sent it.

    * A slot told as a hint is not compared; nor is what only tells who pays or is billed how (`user`, tiers, cache keys).
    * Anthropic must be told the most output: where nobody said it, it is not compared. It must be more than a budget to
      think: where an effort has become one, it was raised.
    * One answer, text alone, and a choice of tools that is "auto" are what everybody does without being asked.
    """
    plain: dict[str, Any] = {slot: getattr(request, slot) for slot in SAME_SLOTS if asked.field(slot) not in hints}
    if asked.max_output is None or _budgeted(request, asked):
        plain.pop("max_output", None)
    plain["answers"] = request.answers or 1
    plain["modalities"] = request.modalities or ["text"]
    plain["system"] = _instructions(request)
    plain["messages"] = _turns(request, hints if request is asked else (), _untold_failures(asked, hints))
    plain |= _tools(request)
    plain["cache"] = sorted(_marks(request, hints if request is asked else ()))
    plain["format"] = _format(request)
    if asked.field("thinking") not in hints and asked.thinking is not None:
        plain["thinking"] = _thinking(request)
    return plain


def _budgeted(request: Request, asked: Request) -> bool:
    """Whether an effort has become a budget on the way."""
    made = request.thinking is not None and request.thinking.budget is not None
    return made and (asked.thinking is None or asked.thinking.budget is None)


def _untold_failures(asked: Request, hints: Collection[str]) -> set[str]:
    """The results of which it could not be told that they are errors."""
    results = [part for message in asked.messages for part in message.parts if isinstance(part, ToolResult)]
    return {result.call_id for result in results if f"{result.at}.is_error" in hints}


def _marks(request: Request, hints: Collection[str]) -> Iterator[str]:
    """How long what stands before each mark is to be kept in the provider's cache."""
    for part in (*request.system, *(part for message in request.messages for part in message.parts), *request.tools):
        if not isinstance(part, VendorTool) and part.cache is not None and f"{part.at}.cache_control" not in hints:
            yield part.cache.ttl


def _instructions(request: Request) -> str:
    """How several of them are joined is the dialect's."""
    return "".join("".join(text.text.split()) for text in request.system)


def _format(request: Request) -> Any:
    """A schema's name and description are labels, and one without a name has to be given one where names are needed. That no
    other members may come has to be said where a schema is strict."""
    if request.format is None or request.format.kind == "text":
        return None
    return (request.format.kind, _open(request.format.schema))


def _open(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: _open(value) for name, value in schema.items() if not (name == "additionalProperties" and value is False)}
    return [_open(value) for value in schema] if isinstance(schema, list) else schema


def _thinking(request: Request) -> str:
    """An effort is a budget elsewhere, in the steps that the vendors themselves publish; that it is on or off is the same
    everywhere. What may be seen of it says nothing about it."""
    asked = request.thinking
    if asked is None:
        return "unsaid"
    if asked.enabled is False or asked.budget == 0 or asked.effort == "none":
        return "off"
    return "on" if asked.enabled or asked.effort or asked.budget or asked.adaptive else "unsaid"


def _tools(request: Request) -> dict[str, Any]:
    """To offer only some tools and to choose among those asks for the same. Where no tool may be called it says nothing which
    are on offer. Strict is all or none at Cohere; not strict is what everybody is unasked."""
    choice = request.tool_choice
    offered = [tool for tool in request.tools if isinstance(tool, Tool)]
    assert len(offered) == len(request.tools), "a vendor's tool is refused"
    mode = "auto" if choice is None else "any" if choice.mode == "tool" else choice.mode
    if choice is not None and choice.names:
        offered = [tool for tool in offered if tool.name in choice.names]
    if mode == "none":
        offered = []
    told = [(tool.name, tool.description, _open(tool.schema) or EMPTY, tool.custom) for tool in offered]
    return {"tools": told, "tool_choice": mode if offered else "none"}


EMPTY = {"type": "object", "properties": {}}
"""A tool that takes nothing."""


def _turns(request: Request, hints: Collection[str], untold: set[str]) -> list[tuple[str, list[Any]]]:
    """Messages of one role in a row are one turn. A developer is the system elsewhere. Results stand before what else their
    user says, and what they show may stand behind them (see `conversation.shown`)."""
    turns: list[tuple[str, list[Any]]] = []
    for message in request.messages:
        role, parts = _role(message, hints), _said(message, untold)
        if not parts:
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(parts)
        else:
            turns.append((role, parts))
    return [(role, _results_first(parts)) for role, parts in turns]


def _role(message: Message, hints: Collection[str]) -> str:
    """An instruction inside the conversation is its user's word where instructions stand at the head alone."""
    if message.role in (ASSISTANT, USER):
        return message.role
    return USER if f"{message.at}.role" in hints else SYSTEM if message.role == DEVELOPER else message.role


def _results_first(parts: list[Any]) -> list[Any]:
    return sorted(parts, key=lambda part: part[0] != "result")


def _said(message: Message, untold: set[str]) -> list[Any]:
    said: list[Any] = []
    for part in message.parts:
        if isinstance(part, ToolResult):
            said += _result(part, untold)
        elif (told := _part(part)) is not None:
            said.append(told)
    return said


def _part(part: AnyPart) -> Any:
    """Earlier reasoning is its own vendor's (that it comes back to it is tested with each dialect). A text that is empty says
    nothing. Arguments are a JSON object however they are spaced. A plain text's file is its text, a file's title a label, and
    its type may be told by its address. `auto` is how images are looked at unasked."""
    match part:
        case Reasoning():
            return None
        case Text() | Refused():
            found = _DEMOTED.fullmatch(part.text)
            text = found[2] if found is not None else part.text
            return ("text", text) if text and not _is_caption(text) else None
        case ToolCall():
            return ("call", part.id, part.name, part.arguments if part.custom else json.loads(part.arguments or "{}"))
        case Image():
            return ("image", part.data or part.url or part.file_id, part.detail.replace("auto", ""))
        case File():
            text = part.text or (base64.b64decode(part.data).decode() if part.media_type == "text/plain" and part.data else "")
            return ("text", text) if text else ("file", part.data or part.url or part.file_id, part.context, part.citations)
        case _:
            return (type(part).__name__, part.data if hasattr(part, "data") else part)


def _is_caption(text: str) -> bool:
    return re.fullmatch(r"From the result of .+ \(.*\):", text) is not None


def _result(part: ToolResult, untold: set[str]) -> list[Any]:
    """The name of its function is known from the call."""
    pieces = [told for piece in part.content if (told := _part(piece)) is not None and told != ("text", BELOW)]
    texts = "".join(piece[1] for piece in pieces if piece[0] == "text")
    return [
        ("result", part.call_id, texts, part.is_error and part.call_id not in untold),
        *(piece for piece in pieces if piece[0] != "text"),
    ]
