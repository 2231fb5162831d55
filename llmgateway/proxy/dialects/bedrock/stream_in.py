"""Reads ConverseStream: a binary event stream whose events name a content block by its index.

Texts and reasoning have no event that opens them: their first delta does. Blocks that say something only when they are
whole (redacted reasoning, tools that Bedrock runs, images) are put together and read as whole answers are.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

import msgspec

from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.events import Begin, Cited, Close, Delta, Done, Event, Failed, Open, Signed, Stop, Used
from llmgateway.proxy.conversation.parts import AnyPart, Json, Reasoning, Signature, Text, ToolCall
from llmgateway.proxy.dialects.bedrock.answer import read_stop
from llmgateway.proxy.dialects.bedrock.blocks_in import Blocks, opened, signature_of
from llmgateway.proxy.dialects.bedrock.citations import read_citation
from llmgateway.proxy.dialects.bedrock.errors import failure_of, message_of
from llmgateway.proxy.dialects.bedrock.eventstream import Decoder, Message
from llmgateway.proxy.dialects.bedrock.usage import from_converse
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.members import Members, unreadable


class _Growing:
    """A block that grows before the reader's eyes."""

    __slots__ = ("index", "signature")

    def __init__(self, index: int) -> None:
        self.index = index
        self.signature = ""


class _Whole:
    """A block that is told when it is complete: `raw` as a whole answer would have it, `typed` the JSON text of an input."""

    __slots__ = ("raw", "typed")

    def __init__(self, raw: dict[str, Json]) -> None:
        self.raw = raw
        self.typed = ""


WHOLE = -1
"""The place of a block while it is told as a whole."""


class ConverseReader:
    """`feed` raises Unreadable."""

    __slots__ = ("_blocks", "_decoder", "_ended", "_over", "_parts", "_pending")

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._blocks: dict[int, _Growing | _Whole] = {}
        self._parts = 0
        self._pending: Signature | None = None
        self._ended = False
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        events: list[Event] = []
        for message in self._decoder.feed(data):
            if self._over:
                break
            events += self._read(message)
        return events

    def finish(self) -> list[Event]:
        """Usage comes behind the stop reason: a stream that ends between them is complete, its usage unknown."""
        if self._over or not self._ended or self._decoder.rest:
            return []
        self._over = True
        return [Done()]

    def _read(self, message: Message) -> list[Event]:
        kind = message.header(":message-type")
        if kind in ("exception", "error"):
            self._over = True
            return [Failed(_failure(message))]
        if kind != "event":
            raise Unreadable(f"an event stream has a message of the type {kind!r}")
        tell = _READERS.get(message.header(":event-type"))
        return [] if tell is None else tell(self, Members(_decoded(message.payload), "", unreadable))

    def _begin(self, told: Members) -> list[Event]:
        return [Begin()]

    def _start(self, told: Members) -> list[Event]:
        place, start = _place(told), told.inner("start")
        if start is None:
            return []
        if "toolUse" in start:
            raw = start.take("toolUse")
            use = Members(raw, "start.toolUse", unreadable)
            if "type" not in use:
                return self._open(place, ToolCall(id=use.needed_text("toolUseId"), name=use.needed_text("name")))[0]
            self._blocks[place] = _Whole({"toolUse": {**raw, "input": {}}})
            return []
        for name, empty in (("toolResult", {"content": []}), ("image", {"source": {"bytes": ""}})):
            if name in start:
                self._blocks[place] = _Whole({name: {**(start.mapping(name) or {}), **empty}})
        return []

    def _open(self, place: int, part: AnyPart) -> tuple[list[Event], _Growing]:
        block = _Growing(self._parts)
        self._blocks[place] = block
        self._parts += 1
        events: list[Event] = [Open(0, block.index, part)]
        if self._pending is not None:
            events.append(Signed(0, block.index, self._pending))
            self._pending = None
        return events, block

    def _delta(self, told: Members) -> list[Event]:
        place, delta = _place(told), told.needed("delta")
        block = self._blocks.get(place)
        if isinstance(block, _Whole):
            _lengthen(block, delta)
            return []
        if block is not None:
            return _grown(block, delta)
        if (reasoning := delta.inner("reasoningContent")) is not None and "redactedContent" in reasoning:
            self._blocks[place] = _Whole({"reasoningContent": {"redactedContent": reasoning.text("redactedContent")}})
            return []
        for kind in ("toolUse", "toolResult", "image"):
            if kind in delta:
                raise Unreadable(f"a delta of a {kind} that was never begun")
        if reasoning is not None:
            return self._opened(place, Reasoning(), lambda block: _thought(block, reasoning))
        if "text" in delta or "citation" in delta:
            return self._opened(place, Text(text=""), lambda block: _grown(block, delta))
        return []

    def _opened(self, place: int, part: AnyPart, tell: Callable[[_Growing], list[Event]]) -> list[Event]:
        """A block that its first delta begins."""
        events, block = self._open(place, part)
        return [*events, *tell(block)]

    def _end(self, told: Members) -> list[Event]:
        return self._stop_block(_place(told))

    def _stop_block(self, place: int) -> list[Event]:
        block = self._blocks.pop(place, None)
        if isinstance(block, _Growing):
            return [Close(0, block.index)]
        return [] if block is None else self._whole(block)

    def _whole(self, block: _Whole) -> list[Event]:
        if block.typed:
            block.raw["toolUse"]["input"] = _decoded(block.typed.encode())
        hidden = block.raw.get("reasoningContent", {}).get("redactedContent")
        sealed = opened(hidden) if hidden is not None else None
        if sealed is not None and sealed.kind == "part":
            self._pending = sealed.signature
            return []
        reader = Blocks(unreadable)
        reader.read(block.raw, "the content block")
        events: list[Event] = []
        for part in reader.parts:
            part.at = ""
            signature, part.signature = part.signature, None
            begun, grown = self._open(WHOLE, part)
            events += begun
            if signature is not None:
                events.append(Signed(0, grown.index, signature))
            events.append(Close(0, grown.index))
        self._blocks.pop(WHOLE, None)
        return events

    def _stop(self, told: Members) -> list[Event]:
        said = read_stop(told.needed_text("stopReason"), told.take("additionalModelResponseFields"))
        events: list[Event] = []
        for place in sorted(self._blocks):
            events += self._stop_block(place)
        self._ended = True
        return [*events, Stop(0, said.stop, said.stop_sequence, said.native_stop)]

    def _metadata(self, told: Members) -> list[Event]:
        usage = from_converse(told.take("usage"))
        events: list[Event] = [Used(usage)] if usage else []
        if self._ended:
            self._over = True
            events.append(Done())
        return events


_READERS: dict[str, Callable[[ConverseReader, Members], list[Event]]] = {
    "messageStart": ConverseReader._begin,
    "contentBlockStart": ConverseReader._start,
    "contentBlockDelta": ConverseReader._delta,
    "contentBlockStop": ConverseReader._end,
    "messageStop": ConverseReader._stop,
    "metadata": ConverseReader._metadata,
}


def _failure(message: Message) -> Failure:
    name, text = message_of(message.payload)
    told = message.header(":exception-type") or message.header(":error-code") or name
    return failure_of(told, text or message.header(":error-message"))


def _decoded(payload: bytes) -> Json:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable("an event is no JSON") from None


def _place(told: Members) -> int:
    place = told.integer("contentBlockIndex")
    if place is None or place < 0:
        raise Unreadable("an event does not tell its content block")
    return place


def _grown(block: _Growing, delta: Members) -> list[Event]:
    if (reasoning := delta.inner("reasoningContent")) is not None:
        return _thought(block, reasoning)
    if "citation" in delta:
        raw = delta.take("citation")
        return [Cited(0, block.index, read_citation(Members(raw, "delta.citation", unreadable), raw))]
    tool = delta.inner("toolUse")
    text = delta.text("text") if tool is None else tool.text("input")
    return [Delta(0, block.index, text)] if text else []


def _thought(block: _Growing, reasoning: Members) -> list[Event]:
    text, signature = reasoning.text("text"), reasoning.text("signature")
    events: list[Event] = [Delta(0, block.index, text)] if text else []
    if signature:
        block.signature += signature
        found = signature_of(block.signature)
        events += [Signed(0, block.index, found)] if found is not None else []
    return events


def _lengthen(block: _Whole, delta: Members) -> None:
    if (use := delta.inner("toolUse")) is not None:
        block.typed += use.text("input")
    elif (reasoning := delta.inner("reasoningContent")) is not None:
        held = block.raw["reasoningContent"]
        held["redactedContent"] = _joined(held["redactedContent"], reasoning.text("redactedContent"))
    elif "toolResult" in delta:
        block.raw["toolResult"]["content"] += delta.array("toolResult")
    elif (image := delta.inner("image")) is not None:
        source = image.inner("source")
        held = block.raw["image"]["source"]
        held["bytes"] = _joined(held["bytes"], source.text("bytes") if source is not None else "")


def _joined(one: str, other: str) -> str:
    """Two pieces of base64 as one: each is padded for itself."""
    if not one or not other:
        return one or other
    try:
        return base64.b64encode(base64.b64decode(one, validate=True) + base64.b64decode(other, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise Unreadable("a delta holds no base64") from None
