"""Events to a stream of Messages. One block is open at a time: parts that begin meanwhile wait until it has stopped."""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from dataplane.sse import event as sse_event
from llmgateway.proxy.conversation.events import Beat, Begin, Cited, Close, Delta, Done, Event, Failed, Open, Signed, Sound, Stop, Used
from llmgateway.proxy.conversation.parts import Json, Refused, ToolCall
from llmgateway.proxy.dialects.anthropic_messages import errors, stops, usage
from llmgateway.proxy.dialects.anthropic_messages.answer import head
from llmgateway.proxy.dialects.anthropic_messages.stream_blocks import Blocks, Telling, Wire, telling
from llmgateway.proxy.dialects.dialect import Asked

_OF_PART = Open | Delta | Sound | Signed | Cited | Close


class MessagesWriter:
    """The message starts with the event that follows Begin, so that counts which come at once are in it; it ends with Done,
    for counts may come behind the stop reason."""

    content_type = "text/event-stream"

    __slots__ = (
        "_asked",
        "_begin",
        "_begun",
        "_blocks",
        "_called",
        "_current",
        "_over",
        "_part",
        "_refused",
        "_started",
        "_stop",
        "_usage",
        "_waiting",
    )

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._begin = Begin()
        self._begun = self._started = False
        self._blocks = Blocks()
        self._current: Telling | None = None
        self._part: int | None = None
        self._waiting: dict[int, list[Event]] = {}
        """Events of parts that can't be told yet, by the part's index, in the order in which the parts began."""
        self._usage: Usage = {}
        self._stop = Stop(0, "")
        self._refused = self._called = False
        self._over = False

    def write(self, event: Event) -> bytes:
        if self._over:
            return b""
        if isinstance(event, Begin):
            self._begin, self._begun = event, True
            return b""
        if isinstance(event, Used):
            self._usage = event.usage
            return b""
        if isinstance(event, Failed):
            self._over = True
            return _line({"type": "error", "error": errors.told(event.failure), "request_id": self._asked.id})
        return b"".join(_line(wire) for wire in [*self._start(beat=isinstance(event, Beat)), *self._told(event)])

    def _start(self, *, beat: bool) -> list[Wire]:
        """A sign of life may come before the upstream has begun."""
        if self._started or (beat and not self._begun):
            return []
        self._started = True
        message = head(self._begin.id, self._asked)
        message["usage"] = usage.write({**self._usage, "output": 0, "reasoning": 0})
        return [{"type": "message_start", "message": message}]

    def _told(self, event: Event) -> list[Wire]:
        match event:
            case Open() | Delta() | Sound() | Signed() | Cited() | Close():
                return self._of_part(event) if event.candidate == 0 else []
            case Stop(candidate=0):
                self._stop = event
                return []
            case Done():
                return self._end()
            case Beat():
                return [{"type": "ping"}]
            case _:
                return []

    def _of_part(self, event: _OF_PART) -> list[Wire]:
        if self._current is not None and event.index != self._part:
            self._waiting.setdefault(event.index, []).append(event)
            return []
        found = self._tell(event)
        while self._current is None and self._waiting:
            held = self._waiting.pop(next(iter(self._waiting)))
            found += [wire for later in held for wire in self._tell(later)]
        return found

    def _tell(self, event: Event) -> list[Wire]:
        """Of the part that is told now. What comes for one that has ended is passed over."""
        if isinstance(event, Open):
            self._current, self._part = telling(event, self._blocks), event.index
            self._refused = self._refused or isinstance(event.part, Refused)
            self._called = self._called or isinstance(event.part, ToolCall)
            return []
        if self._current is None:
            return []
        if isinstance(event, Close):
            current, self._current = self._current, None
            return current.close()
        return self._current.tell(event)

    def _end(self) -> list[Wire]:
        self._over = True
        found: list[Wire] = []
        while self._current is not None:
            found += self._of_part(Close(0, self._part or 0))
        told = self._stop
        stop = stops.write(told.stop, told.native_stop, refused=self._refused, called=self._called)
        delta: Json = {"stop_reason": stop, "stop_sequence": told.stop_sequence}
        return [*found, {"type": "message_delta", "delta": delta, "usage": usage.write(self._usage)}, {"type": "message_stop"}]


def _line(wire: Wire) -> bytes:
    return sse_event(msgspec.json.encode(wire), name=wire["type"].encode())
