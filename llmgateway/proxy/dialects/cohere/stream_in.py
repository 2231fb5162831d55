"""Reads Cohere's chat stream (v2): server-sent events whose data tell their own type.

Content blocks and tool calls have indexes of their own, the plan has none. A citation names the text that it belongs to, or
means the last one; it may come behind that text's end, so a text is closed when something else begins.
"""

from __future__ import annotations

import msgspec

from dataplane.sse import Splitter, data_of, events
from llmgateway.proxy.conversation.events import Beat, Begin, Cited, Close, Delta, Done, Event, Failed, Logprobs, Open, Signed, Stop, Used
from llmgateway.proxy.conversation.parts import AnyPart, Json, Reasoning, Text, ToolCall
from llmgateway.proxy.dialects.cohere.answer import FAILED, read_logprob, read_stop
from llmgateway.proxy.dialects.cohere.citations import read_citations
from llmgateway.proxy.dialects.cohere.errors import failure_of
from llmgateway.proxy.dialects.cohere.message_in import PLAN, THOUGHT, own
from llmgateway.proxy.dialects.cohere.usage import from_cohere
from llmgateway.proxy.dialects.dialect import Unreadable
from llmgateway.proxy.dialects.members import Members, unreadable

CONTENT, CALL = "content", "call"
Place = tuple[str, int]
THE_PLAN: Place = (PLAN, 0)

TIMED_OUT, BROKEN = 504, 502


class CohereReader:
    """`feed` raises Unreadable."""

    __slots__ = ("_index", "_last_text", "_open", "_over", "_parts", "_splitter", "_texts")

    def __init__(self) -> None:
        self._splitter = Splitter()
        self._index: dict[Place, int] = {}
        self._texts: dict[int, int] = {}
        self._last_text: int | None = None
        self._open: dict[int, AnyPart] = {}
        self._parts = 0
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        return self._block(self._splitter.feed(data))

    def finish(self) -> list[Event]:
        """The last event may lack its blank line. One that is broken was cut off: then the stream is not done."""
        try:
            return self._block(self._splitter.rest)
        except Unreadable:
            return []

    def _block(self, block: bytes) -> list[Event]:
        told: list[Event] = []
        for event in events(block) if block else ():
            data = data_of(event)
            if data is not None and not self._over:
                told += self._read(data)
            elif data is None and event.startswith(b":"):
                told.append(Beat())
        return told

    def _read(self, data: bytes) -> list[Event]:
        if data.strip() == b"[DONE]":
            return []
        try:
            value = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Unreadable("an event is no JSON") from None
        told = Members(value, "", unreadable)
        kind = told.text("type")
        if kind == "message-start":
            return [Begin(id=told.text("id"))]
        if kind == "message-end":
            return self._end(told)
        if kind == "" and "message" in told:
            self._over = True
            return [Failed(failure_of(BROKEN, told.text("message")))]
        delta = told.inner("delta")
        message = delta.inner("message") if delta is not None else None
        return self._part_event(kind, told, message)

    def _part_event(self, kind: str, told: Members, message: Members | None) -> list[Event]:
        match kind:
            case "content-start":
                return self._content_start(told, message)
            case "content-delta":
                return self._content_delta(told, message)
            case "tool-plan-delta":
                return self._plan(message)
            case "tool-call-start":
                return self._call_start(told, message)
            case "tool-call-delta":
                return self._call_delta(told, message)
            case "citation-start":
                return self._cite(message)
            case "content-end":
                return self._ended((CONTENT, told.integer("index") or 0))
            case "tool-call-end":
                return self._ended((CALL, told.integer("index") or 0))
        return []

    def _begin(self, place: Place, part: AnyPart) -> list[Event]:
        """Whatever else grew in another place has ended, but for other tool calls."""
        closed = self._close_all() if place[0] != CALL else self._close_all(but=ToolCall)
        index = self._parts
        self._parts += 1
        self._index[place] = index
        self._open[index] = part
        return [*closed, Open(0, index, part)]

    def _close_all(self, but: type[AnyPart] | None = None) -> list[Event]:
        ending = [index for index, part in self._open.items() if but is None or not isinstance(part, but)]
        return [event for index in ending for event in self._close(index)]

    def _close(self, index: int) -> list[Event]:
        """A signature says where reasoning stood."""
        part = self._open.pop(index, None)
        if part is None:
            return []
        if not isinstance(part, Reasoning):
            return [Close(0, index)]
        place = PLAN if self._index.get(THE_PLAN) == index else THOUGHT
        return [Signed(0, index, own(place)), Close(0, index)]

    def _ended(self, place: Place) -> list[Event]:
        """Texts stay open for their citations."""
        index = self._index.get(place)
        if index is None or isinstance(self._open.get(index), Text):
            return []
        return self._close(index)

    def _content_start(self, told: Members, message: Members | None) -> list[Event]:
        content = message.inner("content") if message is not None else None
        if content is None:
            raise Unreadable("a content block begins without saying what it is")
        number = told.integer("index") or 0
        thinks = content.text("type") == "thinking"
        begun = self._begin((CONTENT, number), Reasoning() if thinks else Text(text=""))
        index = self._parts - 1
        if not thinks:
            self._texts[number], self._last_text = index, index
        text = content.text("thinking" if thinks else "text")
        return [*begun, Delta(0, index, text)] if text else begun

    def _content_delta(self, told: Members, message: Members | None) -> list[Event]:
        index = self._index.get((CONTENT, told.integer("index") or 0))
        if index is None or index not in self._open:
            raise Unreadable("a delta of a content block that is not open")
        content = message.inner("content") if message is not None else None
        text = content.text("thinking") or content.text("text") if content is not None else ""
        grown: list[Event] = [Delta(0, index, text)] if text else []
        if (logprob := told.inner("logprobs")) is not None:
            grown.append(Logprobs(0, {"content": [read_logprob(logprob)]}))
        return grown

    def _plan(self, message: Members | None) -> list[Event]:
        text = message.text("tool_plan") if message is not None else ""
        begun = [] if THE_PLAN in self._index and self._index[THE_PLAN] in self._open else self._begin(THE_PLAN, Reasoning())
        return [*begun, Delta(0, self._index[THE_PLAN], text)] if text else begun

    def _call_start(self, told: Members, message: Members | None) -> list[Event]:
        call = message.inner("tool_calls") if message is not None else None
        if call is None:
            raise Unreadable("a tool call begins without saying what it is")
        function = call.needed("function")
        made = ToolCall(id=call.needed_text("id"), name=function.needed_text("name"))
        begun = self._begin((CALL, told.integer("index") or 0), made)
        text = function.text("arguments")
        return [*begun, Delta(0, self._parts - 1, text)] if text else begun

    def _call_delta(self, told: Members, message: Members | None) -> list[Event]:
        index = self._index.get((CALL, told.integer("index") or 0))
        if index is None or index not in self._open:
            raise Unreadable("a delta of a tool call that is not open")
        call = message.inner("tool_calls") if message is not None else None
        function = call.inner("function") if call is not None else None
        text = function.text("arguments") if function is not None else ""
        return [Delta(0, index, text)] if text else []

    def _cite(self, message: Members | None) -> list[Event]:
        raw: Json = message.take("citations") if message is not None else None
        told: list[Event] = []
        for item in raw if isinstance(raw, list) else [] if raw is None else [raw]:
            citation = Members(item, "delta.message.citations", unreadable)
            number = citation.integer("content_index")
            index = self._last_text if number is None else self._texts.get(number)
            found = read_citations(citation, item)
            if index is not None and index in self._open:
                told += [Cited(0, index, one) for one in found]
        return told

    def _end(self, told: Members) -> list[Event]:
        self._over = True
        delta = told.needed("delta")
        reason, error = delta.text("finish_reason"), delta.text("error")
        usage = from_cohere(delta.take("usage"))
        used: list[Event] = [Used(usage)] if usage else []
        if reason in FAILED or error:
            return [
                *used,
                Failed(failure_of(TIMED_OUT if reason == "TIMEOUT" else BROKEN, error or f"The generation ended with {reason}.")),
            ]
        stop, native = read_stop(reason)
        return [*self._close_all(), Stop(0, stop, None, native), *used, Done()]
