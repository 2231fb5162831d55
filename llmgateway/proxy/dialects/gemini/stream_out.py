"""Writes a stream for a caller of `streamGenerateContent`: events with `alt=sse`, else one JSON array.

Google's parts follow each other, so of several that are open at once the first one is written as it grows and the others
when their turn comes. Function calls and media are written whole. A signature that comes behind its text stands on an
empty text, as Google writes it. The last chunk tells the reasons and the usage; there is no end marker in a stream of events.
"""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from dataplane.sse import event as sse_event
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
from llmgateway.proxy.conversation.parts import AnyPart, Audio, Json, Reasoning, Refused, Text, ToolCall
from llmgateway.proxy.dialects.dialect import Asked
from llmgateway.proxy.dialects.gemini import citations, logprobs, signatures
from llmgateway.proxy.dialects.gemini.answer import finish_reason, frame
from llmgateway.proxy.dialects.gemini.errors import failure_body
from llmgateway.proxy.dialects.gemini.meter import ALIVE
from llmgateway.proxy.dialects.gemini.names import BLOCKED
from llmgateway.proxy.dialects.gemini.parts_answered import parts_of
from llmgateway.proxy.dialects.gemini.usage import to_gemini

_encoder = msgspec.json.Encoder()


class _Held:
    """A part that is being written: `ready` waits for its turn, `part` grows until it is written whole."""

    __slots__ = ("_unsaid", "closed", "part", "pieces", "ready", "summary")

    def __init__(self, part: AnyPart) -> None:
        self.part = msgspec.structs.replace(part, signature=None)
        self.ready: list[dict[str, Json]] = []
        self.pieces: list[str] = []
        self.summary: int | None = None
        self.closed = False
        self._unsaid = False
        if isinstance(self.part, Text):
            self.part.citations = list(self.part.citations)

    @property
    def flows(self) -> bool:
        return isinstance(self.part, Text | Refused | Reasoning)

    def add(self, delta: Delta) -> None:
        text = delta.text
        if isinstance(self.part, Reasoning):
            if delta.summary is not None and self.summary not in (None, delta.summary):
                text = "\n\n" + text
            self.summary = delta.summary if delta.summary is not None else self.summary
        self.pieces.append(text)
        if self.flows and text:
            self._say(text)

    def sign(self, signed: Signed) -> None:
        """Told before its text, a signature goes with the text; told behind it, with an empty one."""
        self.part.signature = signed.signature
        self._unsaid = self.flows
        if self.pieces:
            self._say_signature()

    def _say(self, text: str) -> None:
        told: dict[str, Json] = {"text": text}
        if isinstance(self.part, Reasoning):
            told["thought"] = True
        if self._unsaid and self.part.signature is not None:
            told["thoughtSignature"] = signatures.written(self.part.signature, self.part)
            self._unsaid = False
        self.ready.append(told)

    def _say_signature(self) -> None:
        if self._unsaid:
            self._say("")

    def close(self) -> bool:
        """Whether the part could be said."""
        self.closed = True
        self._say_signature()
        text = "".join(self.pieces)
        match self.part:
            case Text():
                self.part.text = text
                return True
            case Refused() | Reasoning():
                return True
            case ToolCall():
                self.part.arguments += text
            case Audio():
                self.part.transcript += text
            case _:
                pass
        written = parts_of(self.part)
        self.ready += written
        return bool(written) or not isinstance(self.part, ToolCall)


class _Turn:
    """One candidate of the answer."""

    __slots__ = ("_order", "_parts", "_texts", "malformed", "stop")

    def __init__(self) -> None:
        self._parts: dict[int, _Held] = {}
        self._order: list[int] = []
        self._texts: list[_Held] = []
        self.malformed = False
        self.stop: Stop | None = None

    def take(self, event: Open | Delta | Sound | Signed | Cited | Close) -> list[dict[str, Json]]:
        """The parts that can be written now."""
        if isinstance(event, Open):
            held = self._parts[event.index] = _Held(event.part)
            self._order.append(event.index)
            if isinstance(held.part, Text):
                self._texts.append(held)
            if event.part.signature is not None:
                held.sign(Signed(event.candidate, event.index, event.part.signature))
        elif event.index in self._parts:
            self._grow(self._parts[event.index], event)
        return self._ready()

    def _grow(self, held: _Held, event: Delta | Sound | Signed | Cited | Close) -> None:
        match event:
            case Delta():
                held.add(event)
            case Sound() if isinstance(held.part, Audio):
                held.part.data += event.data
            case Signed():
                held.sign(event)
            case Cited() if isinstance(held.part, Text):
                held.part.citations.append(event.citation)
            case Close():
                self.malformed = not held.close() or self.malformed
            case _:
                pass

    def _ready(self) -> list[dict[str, Json]]:
        ready: list[dict[str, Json]] = []
        while self._order:
            held = self._parts[self._order[0]]
            ready += held.ready
            held.ready = []
            if not held.closed:
                break
            done = self._order.pop(0)
            if not isinstance(held.part, Text):
                del self._parts[done]
        return ready

    def grounding(self) -> dict[str, Json] | None:
        texts = [held.part for held in self._texts if isinstance(held.part, Text)]
        return citations.written([(0, text) for text in texts])


class GeminiWriter:
    __slots__ = ("_answer", "_array", "_asked", "_begun", "_created", "_over", "_turns", "_usage", "content_type")

    def __init__(self, asked: Asked, *, array: bool = False) -> None:
        self.content_type = "application/json" if array else "text/event-stream"
        self._asked = asked
        self._array = array
        self._answer, self._created = "", 0
        self._turns: dict[int, _Turn] = {}
        self._usage: Usage = {}
        self._begun = self._over = False

    def write(self, event: Event) -> bytes:
        if self._over:
            return b""
        match event:
            case Begin():
                self._answer, self._created = event.id, event.created
            case Used():
                self._usage = event.usage
            case Stop():
                self._turn(event.candidate).stop = event
            case Logprobs():
                told = logprobs.written(event.value)
                return self._chunk([self._candidate(event.candidate, [], logprobsResult=told)]) if told else b""
            case Beat():
                return ALIVE
            case Done():
                return self._end()
            case Failed():
                return self._fail(event.failure)
            case Open() | Delta() | Sound() | Signed() | Cited() | Close():
                ready = self._turn(event.candidate).take(event)
                return self._chunk([self._candidate(event.candidate, ready)]) if ready else b""
            case _:
                pass
        return b""

    def _turn(self, number: int) -> _Turn:
        if number not in self._turns:
            self._turns[number] = _Turn()
        return self._turns[number]

    @staticmethod
    def _candidate(number: int, parts: list[dict[str, Json]], **more: Json) -> dict[str, Json]:
        told = {name: value for name, value in more.items() if value is not None}
        return {"content": {"parts": parts or [{"text": ""}], "role": "model"}, "index": number, **told}

    def _end(self) -> bytes:
        self._over = True
        last: dict[str, Json] = {"usageMetadata": to_gemini(self._usage)} if self._usage else {}
        stops = [turn.stop for turn in self._turns.values() if turn.stop is not None]
        reason = next((stop.native_stop for stop in stops if stop.native_stop.startswith(BLOCKED)), "")
        if reason:
            return self._chunk([], promptFeedback={"blockReason": reason.removeprefix(BLOCKED)}, **last) + self._closing()
        ended = [self._ended(number, turn) for number, turn in sorted(self._turns.items())]
        return self._chunk(ended, **last) + self._closing()

    def _ended(self, number: int, turn: _Turn) -> dict[str, Json]:
        stop = turn.stop or Stop(number, "")
        reason = finish_reason(stop.stop, stop.native_stop, malformed=turn.malformed) if stop.stop else None
        return self._candidate(number, [], finishReason=reason, groundingMetadata=turn.grounding())

    def _fail(self, failure: Failure) -> bytes:
        self._over = True
        return self._framed(_encoder.encode(failure_body(failure, self._asked.id))) + self._closing()

    def _chunk(self, candidates: list[dict[str, Json]], **more: Json) -> bytes:
        told = {"candidates": candidates} if candidates else {}
        return self._framed(_encoder.encode({**told, **more, **frame(self._answer, self._created, self._asked)}))

    def _framed(self, data: bytes) -> bytes:
        if not self._array:
            return sse_event(data)
        before, self._begun = (b",\r\n" if self._begun else b"["), True
        return before + data

    def _closing(self) -> bytes:
        return b"]" if self._array else b""


def writer(asked: Asked) -> GeminiWriter:
    return GeminiWriter(asked)


def writer_array(asked: Asked) -> GeminiWriter:
    """For a caller that did not ask for events."""
    return GeminiWriter(asked, array=True)
