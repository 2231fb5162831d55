"""Streams of Messages to events. Blocks that are one part whole (server tools and their results) are held until they end."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from dataplane.sse import Splitter, data_of, events
from llmgateway.proxy.conversation.events import Beat, Begin, Cited, Close, Delta, Done, Event, Failed, Open, Signed, Stop, Used
from llmgateway.proxy.conversation.parts import AnyPart, Json, Reasoning, Signature, Text, ToolCall
from llmgateway.proxy.conversation.seals import Sealed
from llmgateway.proxy.dialects.anthropic_messages import blocks_in, citations, errors, sealed, stops, usage
from llmgateway.proxy.dialects.anthropic_messages.blocks_in import Place
from llmgateway.proxy.dialects.anthropic_messages.reading import Members, Rest, broken
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.usage import MessagesUsage, from_messages, merge_messages

_GROWING = {
    "text": {"text_delta": "text", "citations_delta": "citation"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "tool_use": {"input_json_delta": "partial_json"},
}
"""Blocks whose parts grow, by which deltas, and the member of each that holds what is new."""

_DELTAS = frozenset(kind for kinds in _GROWING.values() for kind in kinds)


class Growing(NamedTuple):
    part: int
    kind: str


class Held:
    """A block that is told when it has ended. Its `input` comes as text of JSON, other members as more of themselves."""

    __slots__ = ("_input", "_raw")

    def __init__(self, raw: dict[str, Json]) -> None:
        self._raw = dict(raw)
        self._input: list[str] = []

    def grow(self, delta: Members) -> None:
        if delta.text("type") == "input_json_delta":
            self._input.append(delta.text("partial_json"))
            return
        more: dict[str, Json] = {}
        delta.leave(more)
        for path, value in more.items():
            name = path.rpartition(".")[2]
            before = self._raw.get(name)
            self._raw[name] = before + value if isinstance(before, str) and isinstance(value, str) else value

    def whole(self) -> dict[str, Json]:
        """Raises Unreadable."""
        if text := "".join(self._input):
            try:
                self._raw["input"] = msgspec.json.decode(text)
            except (msgspec.DecodeError, RecursionError) as error:
                raise Unreadable("the input of a tool is no JSON") from error
        return self._raw


class MessagesReader:
    __slots__ = ("_begun", "_blocks", "_closing", "_counted", "_next", "_over", "_splitter", "_waiting")

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._begun = False
        self._over = False
        self._counted: MessagesUsage | None = None
        self._blocks: dict[int, Growing | Held | None] = {}
        """Open blocks by Anthropic's index: one whose part grows, one held back, or None for a carrier."""
        self._next = 0
        self._closing: int | None = None
        """A part that has ended. It is closed when something else is told: a signature of it may follow."""
        self._waiting: Signature | None = None

    def feed(self, data: bytes) -> list[Event]:
        block = self._splitter.feed(data)
        return self._read(block) if block else []

    def finish(self) -> list[Event]:
        """Done came with message_stop: a stream that was cut before has none."""
        found = self._read(self._splitter.rest)
        return [*found, *self._close()]

    def _read(self, block: bytes) -> list[Event]:
        found: list[Event] = []
        for part in events(block):
            data = data_of(part)
            if data is not None and not self._over:
                found += self._told(data)
        return found

    def _told(self, data: bytes) -> list[Event]:
        try:
            value = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable("an event is no JSON") from error
        given = Members(value, "event", broken)
        read = self._readers.get(given.text("type"))
        return read(self, given) if read is not None else []

    def _start(self, given: Members) -> list[Event]:
        message = given.members("message")
        if message is None:
            raise Unreadable("message_start has no message")
        self._begun = True
        found: list[Event] = [Begin(message.text("id"), message.text("model"))]
        self._counted = usage.read(message.take("usage"))
        if self._counted is not None:
            # The count of the output is a placeholder here, and must not be taken for one.
            found.append(Used({**from_messages(self._counted), "output": 0, "reasoning": 0}))
        return found

    def _block_start(self, given: Members) -> list[Event]:
        place, raw = self._index(given), given.object("content_block")
        if raw is None or not self._begun or place in self._blocks:
            raise Unreadable("a block begins where none can")
        carried = sealed.carried(raw)
        if carried is not None:
            self._blocks[place] = None
            return self._carry(carried)
        found = self._close()
        kind = raw.get("type")
        if isinstance(kind, str) and kind in _GROWING:
            self._blocks[place] = Growing(self._next, kind)
            return found + self._open(self._bare(raw))
        self._blocks[place] = Held(raw)
        return found

    def _carry(self, carried: Sealed) -> list[Event]:
        if carried.kind == sealed.PRIOR and self._closing is not None:
            return [Signed(0, self._closing, carried.signature), *self._close()]
        found = self._close()
        if carried.kind == sealed.TEXT:
            self._waiting = carried.signature
            return [*found, *self._open(Text(text="")), *self._close()]
        self._waiting = carried.signature
        return found

    def _bare(self, raw: dict[str, Json]) -> AnyPart:
        part = blocks_in.block(raw, "content_block", Place(broken, Rest({}, {}), {}))
        if isinstance(part, ToolCall):
            part.arguments = "" if part.arguments == "{}" else part.arguments
        part.at = ""
        return part

    def _open(self, part: AnyPart) -> list[Event]:
        """Opens it as the next part; it is closed with what else is told. What a block holds at its beginning comes as deltas."""
        index, self._next = self._next, self._next + 1
        found: list[Event] = [Open(0, index, part)]
        match part:
            case Text():
                found += [Delta(0, index, part.text)] if part.text else []
                found += [Cited(0, index, citation) for citation in part.citations]
                part.text, part.citations = "", []
            case ToolCall():
                found += [Delta(0, index, part.arguments)] if part.arguments else []
                part.arguments = ""
            case Reasoning():
                found += [Delta(0, index, part.text)] if part.text else []
                part.text = ""
            case _:
                pass
        signature, part.signature = part.signature or self._waiting, None
        self._waiting = None
        found += [Signed(0, index, signature)] if signature is not None else []
        self._closing = index
        return found

    def _block_delta(self, given: Members) -> list[Event]:
        block, delta = self._known(self._index(given)), given.members("delta")
        if delta is None:
            raise Unreadable("content_block_delta has no delta")
        if isinstance(block, Held):
            block.grow(delta)
        return self._grown(block, delta) if isinstance(block, Growing) else []

    def _grown(self, block: Growing, delta: Members) -> list[Event]:
        """Deltas of a kind that nobody knows are passed over; a known one of another kind of block is wrong."""
        kind = delta.text("type")
        member = _GROWING[block.kind].get(kind)
        if member is None:
            if kind in _DELTAS:
                raise Unreadable(f"a {kind} does not belong to a {block.kind} block")
            return []
        if kind == "citations_delta":
            return [Cited(0, block.part, citations.read(delta.take(member), "citation", broken))]
        text = delta.text(member)
        if not text:
            return []
        if kind == "signature_delta":
            signature = sealed.signature_of(text)
            return [Signed(0, block.part, signature)] if signature is not None else []
        return [Delta(0, block.part, text)]

    def _block_stop(self, given: Members) -> list[Event]:
        place = self._index(given)
        block = self._known(place)
        del self._blocks[place]
        if not isinstance(block, Held):
            return []
        part = blocks_in.block(block.whole(), "content_block", Place(broken, Rest({}, {}), {}))
        part.at = ""
        return [*self._close(), *self._open(part)]

    def _delta(self, given: Members) -> list[Event]:
        found = self._close()
        delta = given.members("delta")
        told = usage.read(given.take("usage"))
        if told is not None:
            self._counted = merge_messages(self._counted or MessagesUsage(), told)
            found.append(Used(from_messages(self._counted)))
        if delta is not None and (reason := delta.text("stop_reason")):
            stop, native = stops.read(reason)
            found.append(Stop(0, stop, delta.text("stop_sequence") or None, native))
        return found

    def _stop(self, given: Members) -> list[Event]:
        if not self._begun:
            raise Unreadable("message_stop before message_start")
        self._over = True
        return [*self._close(), Done()]

    def _failed(self, given: Members) -> list[Event]:
        self._over, self._closing = True, None
        return [Failed(errors.read(given.take("error")))]

    def _ping(self, given: Members) -> list[Event]:
        return [Beat()]

    def _close(self) -> list[Event]:
        index, self._closing = self._closing, None
        return [] if index is None else [Close(0, index)]

    def _index(self, given: Members) -> int:
        value = given.whole("index")
        if value is None:
            raise Unreadable("an event of a block has no index")
        return value

    def _known(self, place: int) -> Growing | Held | None:
        if place not in self._blocks:
            raise Unreadable(f"block {place} was never opened")
        return self._blocks[place]

    _readers: dict[str, Callable[[MessagesReader, Members], list[Event]]] = {
        "message_start": _start,
        "content_block_start": _block_start,
        "content_block_delta": _block_delta,
        "content_block_stop": _block_stop,
        "message_delta": _delta,
        "message_stop": _stop,
        "error": _failed,
        "ping": _ping,
    }
