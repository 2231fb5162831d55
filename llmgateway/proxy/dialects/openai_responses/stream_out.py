"""A stream of this dialect, written: named events with rising sequence numbers, one item at a time, one terminal event."""

from __future__ import annotations

import msgspec

from dataplane import sse
from llmgateway.proxy.conversation.answer import Failure
from llmgateway.proxy.conversation.events import (
    Beat,
    Begin,
    Cited,
    Close,
    Delta,
    Done,
    Event,
    Failed,
    Logprobs,
    Open,
    Signed,
    Sound,
    Stop,
    Used,
)
from llmgateway.proxy.conversation.parts import Json
from llmgateway.proxy.dialects.dialect import Asked
from llmgateway.proxy.dialects.openai_responses.errors import code_of
from llmgateway.proxy.dialects.openai_responses.frame import end, frame, token
from llmgateway.proxy.dialects.openai_responses.namespaces import namespaces
from llmgateway.proxy.dialects.openai_responses.output_out import OutputWriter, Told
from llmgateway.proxy.dialects.openai_responses.usage import write_usage

OfPart = Open | Delta | Sound | Signed | Cited | Close
BEAT = b": keep-alive\n\n"


class Composer:
    """Makes a response of events. Parts are written in the order of their indexes, the later ones are held back while an
    earlier one is open; answers beside the first have no place here. `response` is the response as far as it is known."""

    def __init__(self, asked: Asked) -> None:
        self.response: dict[str, Json] = {}
        self._asked = asked
        self._output = OutputWriter(token(asked), namespaces(asked.request))
        self._held: dict[int, list[OfPart]] = {}
        self._turn = 0
        self._stop = Stop(0, "")
        self._sequence = 0
        self._over = False

    def tell(self, event: Event) -> Told:
        if self._over:
            return []
        return [self._numbered(told) for told in self._tell(event)]

    def _tell(self, event: Event) -> Told:
        match event:
            case Begin():
                return self._begin(event)
            case Open() | Delta() | Sound() | Signed() | Cited() | Close() if event.candidate == 0:
                self._held.setdefault(event.index, []).append(event)
                return self._begin(Begin()) + self._drain()
            case Logprobs() if event.candidate == 0 and isinstance(event.value, dict):
                self._output.log(event.value.get("content") or [])
            case Used():
                self.response["usage"] = write_usage(event.usage)
            case Stop() if event.candidate == 0:
                self._stop = event
            case Done():
                return self._begin(Begin()) + self._end()
            case Failed():
                return self._begin(Begin()) + self._fail(event.failure)
            case _:
                pass
        return []

    def _numbered(self, event: dict[str, Json]) -> dict[str, Json]:
        numbered = {"type": event["type"], "sequence_number": self._sequence, **event}
        self._sequence += 1
        return numbered

    def _begin(self, event: Begin) -> Told:
        if "id" in self.response:
            return []
        self.response = frame(self._asked, event.id, event.created) | self.response
        return [self._lifecycle("response.created"), self._lifecycle("response.in_progress")]

    def _lifecycle(self, kind: str) -> dict[str, Json]:
        return {"type": kind, "response": dict(self.response)}

    def _drain(self) -> Told:
        """What is held of the part whose turn it is, and of those behind it when it has closed."""
        while held := self._held.get(self._turn):
            closed = isinstance(held[-1], Close)
            for event in held:
                self._write(event)
            self._held[self._turn] = []
            if not closed:
                break
            del self._held[self._turn]
            self._turn += 1
        told, self._output.told = self._output.told, []
        return told

    def _write(self, event: OfPart) -> None:
        output = self._output
        match event:
            case Open():
                output.open(event.part)
            case Delta():
                output.grow(event.text, event.summary)
            case Signed():
                output.sign(event.signature)
            case Cited():
                output.cite(event.citation)
            case Close():
                output.close()
            case _:
                pass

    def _end(self) -> Told:
        self._close_all()
        status = end(self.response, self._stop)
        self._output.end("incomplete" if status == "incomplete" else "completed")
        told, self._output.told = self._output.told, []
        self.response["output"] = self._output.items
        self._over = True
        return [*told, self._lifecycle("response.incomplete" if status == "incomplete" else "response.completed")]

    def _close_all(self) -> None:
        """Parts that nobody closed end with the answer."""
        for index in sorted(self._held):
            for event in (*self._held.pop(index), Close(0, index)):
                self._write(event)

    def _fail(self, failure: Failure) -> Told:
        """What had been said stands in the response; no event tells of its end."""
        self._close_all()
        self._output.end("incomplete")
        self._over = True
        self.response["status"] = "failed"
        self.response["error"] = {"code": code_of(failure), "message": failure.message}
        self.response["output"] = self._output.items
        return [self._lifecycle("response.failed")]


class ResponsesWriter:
    content_type = "text/event-stream"

    def __init__(self, asked: Asked) -> None:
        self._composer = Composer(asked)

    def write(self, event: Event) -> bytes:
        if isinstance(event, Beat):
            return BEAT
        told = self._composer.tell(event)
        return b"".join(sse.event(msgspec.json.encode(one), name=one["type"].encode()) for one in told)
