"""Messages of Cohere's chat, read into parts: the same in requests and in answers.

What a model thinks stands in two places: blocks of `thinking`, and `tool_plan`, which Cohere describes as a reflection and
plan in the manner of a chain of thought. Both are `Reasoning`; a signature says which place it came from, so that it goes
back there whatever dialect its caller speaks. Nothing of it is secret or checked.
"""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.parts import AnyPart, Image, Json, Reasoning, Signature, Text, ToolCall, ToolResult
from llmgateway.proxy.dialects.cohere.citations import VENDOR, read_citations
from llmgateway.proxy.dialects.members import Members, Wrong

PLAN, THOUGHT = "plan", "thinking"


def own(place: str) -> Signature:
    return Signature(VENDOR, place)


class MessageParts:
    """The parts of one message. `left` gathers what has no reader, by path."""

    __slots__ = ("left", "parts", "wrong")

    def __init__(self, wrong: Wrong) -> None:
        self.wrong = wrong
        self.parts: list[AnyPart] = []
        self.left: dict[str, Json] = {}

    def content(self, message: Members) -> None:
        """A string, or blocks: text, image_url and thinking."""
        value = message.take("content")
        at = message.path("content")
        if value is None:
            return
        if type(value) is str:
            self.parts.append(Text(text=value, at=at))
            return
        if type(value) is not list:
            raise self.wrong(at, "a string or an array")
        for place, raw in enumerate(value):
            block = Members(raw, f"{at}[{place}]", self.wrong)
            self.parts.append(self._block(block))
            self.left |= block.left()

    def _block(self, block: Members) -> AnyPart:
        kind = block.needed_text("type")
        match kind:
            case "text":
                return Text(text=block.needed_text("text"), at=block.at)
            case "thinking":
                return Reasoning(text=block.needed_text("thinking"), signature=own(THOUGHT), at=block.at)
            case "image_url":
                return self._image(block)
        raise self.wrong(block.path("type"), "one of text, image_url, thinking")

    def _image(self, block: Members) -> Image:
        told = block.needed("image_url")
        url, detail = told.needed_text("url"), told.text("detail")
        self.left |= told.left()
        media_type, data = data_of_url(url)
        return Image(data=data, media_type=media_type, url="" if data else url, detail=detail, at=block.at)

    def said(self, message: Members) -> None:
        """Of an assistant: content with its citations, then the plan, then the calls."""
        self.content(message)
        self._citations(message)
        if (plan := message.text("tool_plan")) != "":
            self.parts.append(Reasoning(text=plan, signature=own(PLAN), at=message.path("tool_plan")))
        for call in message.each("tool_calls"):
            self.parts.append(self._call(call))
            self.left |= call.left()

    def _call(self, call: Members) -> ToolCall:
        call.text("type")
        function = call.needed("function")
        made = ToolCall(id=call.needed_text("id"), name=function.needed_text("name"), arguments=function.text("arguments"), at=call.at)
        self.left |= function.left()
        return made

    def _citations(self, message: Members) -> None:
        for place, raw in enumerate(message.array("citations")):
            told = Members(raw, f"{message.path('citations')}[{place}]", self.wrong)
            spot = told.integer("content_index")
            found = read_citations(told, raw)
            text = text_at(self.parts, spot)
            if text is None or not found:
                self.left[told.at] = raw
            else:
                text.citations = [*text.citations, *found]

    def result(self, message: Members) -> None:
        """Of a tool: a string, or texts and documents. A document's data are told as their JSON."""
        result = ToolResult(call_id=message.needed_text("tool_call_id"), at=message.at)
        value = message.take("content")
        at = message.path("content")
        if type(value) is str:
            result.content.append(Text(text=value, at=at))
        elif type(value) is list:
            result.content += [self._result_block(raw, f"{at}[{place}]") for place, raw in enumerate(value)]
        elif value is not None:
            raise self.wrong(at, "a string or an array")
        self.parts.append(result)

    def _result_block(self, raw: Json, at: str) -> Text:
        block = Members(raw, at, self.wrong)
        kind = block.needed_text("type")
        if kind == "document":
            document = block.needed("document")
            data = document.take("data")
            text = data if type(data) is str else msgspec.json.encode(data).decode()
            self.left |= document.left()
        elif kind == "text":
            text = block.needed_text("text")
        else:
            raise self.wrong(block.path("type"), "one of text, document")
        self.left |= block.left()
        return Text(text=text, at=at)


def text_at(parts: list[AnyPart], place: int | None) -> Text | None:
    """The text that is this content block; the first one where the place is not told."""
    if place is not None and 0 <= place < len(parts) and isinstance(parts[place], Text):
        found = parts[place]
        return found if isinstance(found, Text) else None
    return next((part for part in parts if isinstance(part, Text)), None) if place is None else None


def data_of_url(url: str) -> tuple[str, str]:
    """Media type and base64 of a data URL, "" and "" of any other."""
    if not url.startswith("data:"):
        return "", ""
    head, comma, data = url[5:].partition(",")
    media_type, *options = head.split(";")
    return (media_type, data) if comma and "base64" in options else ("", "")
