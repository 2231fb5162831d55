"""Writes ConverseStream: one content block at a time, usage in a last event of its own.

A tool call is held until it is complete: another vendor's signature of it has its place in a block before it, and comes
last. Of a text that signature comes too late and is left out; whole answers keep it.
"""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.events import Begin, Cited, Close, Delta, Done, Event, Failed, Fold, Open, Signed, Sound, Stop, Used
from llmgateway.proxy.conversation.parts import AnyPart, Json, Reasoning, Refused, Signature, Text, ToolCall
from llmgateway.proxy.dialects.bedrock.answer import answer_blocks, write_stop
from llmgateway.proxy.dialects.bedrock.blocks_out import reasoning_block, sealed_block
from llmgateway.proxy.dialects.bedrock.citations import write_citation
from llmgateway.proxy.dialects.bedrock.errors import KINDS, SAID
from llmgateway.proxy.dialects.bedrock.eventstream import CONTENT_TYPE, event, exception
from llmgateway.proxy.dialects.bedrock.usage import to_converse
from llmgateway.proxy.dialects.dialect import Asked
from llmgateway.proxy.dialects.oneatatime import OneAtATime


def _event(kind: str, told: dict[str, Json]) -> bytes:
    return event(kind, msgspec.json.encode(told))


class ConverseWriter:
    content_type = CONTENT_TYPE

    __slots__ = ("_begun", "_held", "_index", "_order", "_over", "_part", "_told", "_usage")

    def __init__(self, asked: Asked) -> None:
        self._order = OneAtATime()
        self._part: AnyPart | None = None
        self._held: Fold | None = None
        self._told = False
        self._index = 0
        self._usage: Usage = {}
        self._begun = False
        self._over = False

    def write(self, event: Event) -> bytes:
        if self._over:
            return b""
        if isinstance(event, Stop):
            return b"".join(map(self._write, [*self._order.flush(), event])) if event.candidate == 0 else b""
        return b"".join(map(self._write, self._order.feed(event)))

    def _write(self, event: Event) -> bytes:
        match event:
            case Begin():
                return self._begin()
            case Open():
                return self._begin() + self._open(event)
            case Delta() | Sound() | Signed() | Cited():
                return self._grow(event)
            case Close():
                return self._close()
            case Used():
                self._usage = event.usage
            case Stop():
                return self._begin() + _event("messageStop", {"stopReason": write_stop(event.stop, event.native_stop)} | _sequence(event))
            case Done():
                self._over = True
                return self._begin() + _event("metadata", {"usage": to_converse(self._usage), "metrics": {"latencyMs": 0}})
            case Failed():
                self._over = True
                name = event.failure.code if event.failure.code in KINDS else SAID.get(event.failure.kind, "InternalServerException")
                return exception(name[:1].lower() + name[1:], msgspec.json.encode({"message": event.failure.message}))
        return b""

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _event("messageStart", {"role": "assistant"})

    def _open(self, event: Open) -> bytes:
        """Texts and readable reasoning are told as they come; everything else when it is complete."""
        part = event.part
        self._part, self._told = part, False
        self._held = None
        if not isinstance(part, Text | Refused) and not (isinstance(part, Reasoning) and not part.redacted):
            self._held = Fold()
            self._held.add(event)
            return b""
        given = self._signature(part.signature) if part.signature is not None else b""
        return given + b"".join(self._cite(citation) for citation in (part.citations if isinstance(part, Text) else ()))

    def _grow(self, event: Delta | Sound | Signed | Cited) -> bytes:
        if self._held is not None:
            self._held.add(event)
            return b""
        match event:
            case Delta():
                return self._text(event.text)
            case Signed():
                return self._signature(event.signature)
            case Cited():
                return self._cite(event.citation)
        return b""

    def _delta(self, told: dict[str, Json]) -> bytes:
        self._told = True
        return _event("contentBlockDelta", {"delta": told, "contentBlockIndex": self._index})

    def _text(self, text: str) -> bytes:
        return self._delta({"reasoningContent": {"text": text}} if isinstance(self._part, Reasoning) else {"text": text})

    def _signature(self, signature: Signature) -> bytes:
        if not isinstance(self._part, Reasoning):
            return b""
        told = reasoning_block(Reasoning(signature=signature))["reasoningContent"]["reasoningText"]["signature"]
        return self._delta({"reasoningContent": {"signature": told}})

    def _cite(self, citation: Json) -> bytes:
        return self._delta({"citation": write_citation(citation)})

    def _close(self) -> bytes:
        if self._held is not None:
            (part,) = self._held.answer.candidates[0].parts
            self._held = None
            return self._tool(part) if isinstance(part, ToolCall) else b"".join(map(self._block, answer_blocks(part)))
        given = b"" if self._told else self._text("")
        return given + self._end()

    def _end(self) -> bytes:
        self._index += 1
        return _event("contentBlockStop", {"contentBlockIndex": self._index - 1})

    def _tool(self, part: ToolCall) -> bytes:
        """The arguments as they were written, JSON or not."""
        before = self._block(sealed_block(part.signature, "part")) if part.signature is not None else b""
        start = {"toolUse": {"toolUseId": part.id, "name": part.name}}
        begun = _event("contentBlockStart", {"start": start, "contentBlockIndex": self._index})
        return before + begun + (self._delta({"toolUse": {"input": part.arguments}}) if part.arguments else b"") + self._end()

    def _block(self, block: dict[str, Json]) -> bytes:
        """A whole block, in the events that tell such a one."""
        ((kind, inner),) = block.items()
        start, deltas = _told_as(kind, inner)
        begun = _event("contentBlockStart", {"start": start, "contentBlockIndex": self._index}) if start is not None else b""
        return begun + b"".join(self._delta(delta) for delta in deltas) + self._end()


def _sequence(event: Stop) -> dict[str, Json]:
    return {} if event.stop_sequence is None else {"additionalModelResponseFields": {"stop_sequence": event.stop_sequence}}


def _told_as(kind: str, inner: Json) -> tuple[Json, list[dict[str, Json]]]:
    """What begins such a block and its deltas."""
    match kind:
        case "toolUse":
            start = {name: value for name, value in inner.items() if name != "input"}
            return {"toolUse": start}, [{"toolUse": {"input": msgspec.json.encode(inner["input"]).decode()}}]
        case "toolResult":
            start = {name: value for name, value in inner.items() if name != "content"}
            return {"toolResult": start}, [{"toolResult": inner.get("content", [])}]
        case "image":
            return {"image": {"format": inner["format"]}}, [{"image": {"source": inner["source"]}}]
    return None, [{kind: inner}]
