"""A request, written for Converse.

Roles alternate there and the user speaks first: messages of one role in a row become one, tool results come before whatever
else its message says. Bedrock takes no blank text, which says nothing, so it is left out.
"""

from __future__ import annotations

from llmgateway.proxy.conversation.losses import Losses
from llmgateway.proxy.conversation.parts import (
    AnyPart,
    Audio,
    Cache,
    File,
    Image,
    Json,
    Reasoning,
    Refused,
    Special,
    Text,
    ToolCall,
    ToolResult,
)
from llmgateway.proxy.conversation.request import ASSISTANT, DEVELOPER, SYSTEM, USER, Message, Request
from llmgateway.proxy.dialects.bedrock import settings
from llmgateway.proxy.dialects.bedrock.blocks_out import (
    TOOL_NAME,
    cache_point,
    reasoning_block,
    text_block,
    tool_id,
)
from llmgateway.proxy.dialects.bedrock.media import VENDOR, write_audio, write_file, write_image
from llmgateway.proxy.dialects.bedrock.thinking import takes_system_turns
from llmgateway.proxy.dialects.dialect import Target
from llmgateway.proxy.dialects.jsontext import arguments_of, compact_object

CACHING = ("anthropic", "amazon.nova", "application-inference-profile/")
"""Models that take cache points, by what their ids hold. Of a profile of the customer's own nobody can tell: it gets them."""


class Writing:
    """What the parts of one request share: its losses, whether cache points may be written, names of documents so far."""

    __slots__ = ("caches", "lacks", "losses", "names", "system_turns")

    def __init__(self, target: Target, losses: Losses) -> None:
        self.losses = losses
        self.caches = any(mark in target.model for mark in CACHING)
        self.lacks = target.facts.lacks
        self.system_turns = takes_system_turns(target.model)
        self.names: set[str] = set()

    def mark(self, cache: Cache | None, field: str) -> list[Json]:
        """The cache point behind something, where the model takes them."""
        if cache is None:
            return []
        if self.caches:
            return [cache_point(cache)]
        self.losses.hint(field)
        return []


def render_request(request: Request, target: Target, losses: Losses) -> Json:
    writing = Writing(target, losses)
    body: dict[str, Json] = {"messages": _messages(request, writing)}
    if system := _system(request, writing):
        body["system"] = system
    body |= settings.write_settings(request, target, losses)
    if tools := settings.write_tools(request, writing.mark, losses):
        body["toolConfig"] = tools
    return body


def _system(request: Request, writing: Writing) -> list[Json]:
    blocks: list[Json] = []
    for text in request.system:
        if text.text.strip():
            blocks += [{"text": text.text}, *writing.mark(text.cache, f"{text.at}.cache_control")]
    return blocks


def _messages(request: Request, writing: Writing) -> list[Json]:
    turns: list[tuple[str, list[Json], list[Json]]] = []
    for message in request.messages:
        role = SYSTEM if message.role == DEVELOPER else message.role
        results, others = _message(message, writing)
        if not results and not others:
            continue
        if role == SYSTEM and not writing.system_turns:
            writing.losses.drop(message.at, "the model takes no instructions inside the conversation")
            continue
        if not turns or turns[-1][0] != role:
            if not turns and role == ASSISTANT:
                writing.losses.drop(message.at, "its conversations begin with the user")
            turns.append((role, [], []))
        turns[-1][1].extend(results)
        turns[-1][2].extend(others)
    if not turns and request.messages:
        writing.losses.drop(request.field("messages"), "a conversation needs a message that says something")
    if request.cache is not None and turns:
        turns[-1][2].extend(writing.mark(request.cache, request.field("cache")))
    return [{"role": role, "content": [*results, *others]} for role, results, others in turns]


def _message(message: Message, writing: Writing) -> tuple[list[Json], list[Json]]:
    """The blocks of tool results, and the others."""
    results: list[Json] = []
    others: list[Json] = []
    if message.name:
        writing.losses.hint(f"{message.at}.name")
    for part in message.parts:
        block = _part(part, message.role, writing)
        if block is not None:
            kept = results if isinstance(part, ToolResult) else others
            kept += [block, *writing.mark(part.cache, f"{part.at}.cache_control")]
    return results, others


def _part(part: AnyPart, role: str, writing: Writing) -> Json:
    losses = writing.losses
    match part:
        case Text():
            return _text(part, losses)
        case Refused():
            return {"text": part.text} if part.text.strip() else None
        case ToolCall():
            return _tool_use(part, losses)
        case ToolResult():
            return _tool_result(part, writing)
        case Reasoning():
            return _reasoning(part, losses)
        case Special():
            if part.vendor == VENDOR:
                return part.raw
            losses.drop(part.at, f"it is {part.vendor}'s own")
            return None
    return _media(part, role, writing)


def _text(part: Text, losses: Losses) -> Json:
    """Citations go back to the vendor whose they are."""
    if not part.text.strip():
        return None
    if all(citation.vendor == VENDOR for citation in part.citations):
        return text_block(part)
    losses.hint(f"{part.at}.citations")
    return {"text": part.text}


def _reasoning(part: Reasoning, losses: Losses) -> Json:
    """Only what Bedrock gave and signed is taken back: most of its models refuse any other."""
    if part.signature is None or part.signature.vendor != VENDOR:
        losses.hint(part.at)
        return None
    return reasoning_block(part)


def _tool_use(part: ToolCall, losses: Losses) -> Json:
    if part.custom:
        losses.drop(part.at, "it has no tools whose input is free text")
        return None
    arguments = arguments_of(part)
    if arguments is None:
        losses.drop(part.at, "its arguments are no JSON object")
        return None
    if not TOOL_NAME.fullmatch(part.name):
        losses.drop(part.at, settings.NAME_RULE)
        return None
    return {"toolUse": {"toolUseId": tool_id(part.id), "name": part.name, "input": arguments}}


def _tool_result(part: ToolResult, writing: Writing) -> Json:
    content = []
    for item in part.content:
        if item.cache is not None:
            writing.losses.hint(f"{item.at}.cache_control")
        block = _result_text(item.text) if isinstance(item, Text) else _media(item, USER, writing)
        if block is not None:
            content.append(block)
    told: dict[str, Json] = {"toolUseId": tool_id(part.call_id), "content": content}
    if part.is_error:
        told["status"] = "error"
    return {"toolResult": told}


def _result_text(text: str) -> Json:
    found = compact_object(text)
    if found is not None:
        return {"json": found}
    return {"text": text} if text else None


def _media(part: AnyPart, role: str, writing: Writing) -> Json:
    if role == ASSISTANT:
        writing.losses.drop(part.at, "it takes images and files from the user alone")
        return None
    kind = {Image: "image", Audio: "audio", File: "file"}.get(type(part), "")
    if kind in writing.lacks:
        writing.losses.drop(part.at)
        return None
    match part:
        case Image():
            return write_image(part, writing.losses)
        case Audio():
            return write_audio(part, writing.losses)
        case File():
            return write_file(part, writing.losses, writing.names)
    return None
