"""An answer as it comes. Every dialect's stream is read into these events and written from them.

Order: Begin, then for each part Open … Close with its Deltas between, then for each candidate Stop, then Done. Used may
come at any time and replaces what was told before. Parts of one candidate have indexes that rise from 0; several parts
may be open at once (OpenAI interleaves tool calls), a writer whose dialect can't do that holds the later ones back.
After Failed nothing follows. `Beat` is a sign of life.
"""

from __future__ import annotations

import msgspec

from dataplane.call import Usage
from llmgateway.proxy.conversation.answer import Answer, Candidate, Failure
from llmgateway.proxy.conversation.parts import AnyPart, Audio, Citation, Json, Reasoning, Refused, Signature, Text, ToolCall


class Begin(msgspec.Struct, tag=True):
    id: str = ""
    model: str = ""
    created: int = 0


class Open(msgspec.Struct, tag=True):
    """A part begins. `part` holds what is known at its beginning: a tool call its id and name, a whole part (an image, a
    `Special`) everything. Text that is already known comes as a Delta, never in `part`."""

    candidate: int
    index: int
    part: AnyPart


class Delta(msgspec.Struct, tag=True):
    """More text: of a Text or Refused its text, of a ToolCall its arguments, of a Reasoning its text, of an Audio its
    transcript. `summary` is the place in a Reasoning's summary that it belongs to; None: to its text."""

    candidate: int
    index: int
    text: str
    summary: int | None = None


class Sound(msgspec.Struct, tag=True):
    """More of an Audio's base64 data."""

    candidate: int
    index: int
    data: str


class Signed(msgspec.Struct, tag=True):
    """The part's signature, whole. A second one replaces the first."""

    candidate: int
    index: int
    signature: Signature


class Cited(msgspec.Struct, tag=True):
    candidate: int
    index: int
    citation: Citation


class Close(msgspec.Struct, tag=True):
    """A part has ended."""

    candidate: int
    index: int


class Logprobs(msgspec.Struct, tag=True):
    """OpenAI chat's logprobs of one chunk: {"content": […], "refusal": […]}."""

    candidate: int
    value: Json


class Used(msgspec.Struct, tag=True):
    usage: Usage


class Stop(msgspec.Struct, tag=True):
    candidate: int
    stop: str
    stop_sequence: str | None = None
    native_stop: str = ""


class Done(msgspec.Struct, tag=True):
    """The answer is complete."""


class Failed(msgspec.Struct, tag=True):
    failure: Failure


class Beat(msgspec.Struct, tag=True):
    """The upstream lives and has nothing to say (Anthropic's ping, a comment)."""


Event = Begin | Open | Delta | Sound | Signed | Cited | Close | Logprobs | Used | Stop | Done | Failed | Beat


class Fold:
    """Makes an answer of events. `failure` is set by Failed; `done` by Done."""

    __slots__ = ("_parts", "answer", "done", "failure")

    def __init__(self) -> None:
        self.answer = Answer()
        self.failure: Failure | None = None
        self.done = False
        self._parts: dict[tuple[int, int], AnyPart] = {}

    def add(self, event: Event) -> None:
        """Raises ValueError for a delta of a part that was never opened."""
        if isinstance(event, Open | Delta | Sound | Signed | Cited):
            self._grow(event)
            return
        match event:
            case Begin():
                self.answer.id, self.answer.model, self.answer.created = event.id, event.model, event.created
            case Logprobs():
                self._log(event)
            case Used():
                self.answer.usage = event.usage
            case Stop():
                candidate = self._candidate(event.candidate)
                candidate.stop, candidate.stop_sequence, candidate.native_stop = event.stop, event.stop_sequence, event.native_stop
            case Done():
                self.done = True
            case Failed():
                self.failure = event.failure
            case _:
                pass

    def _grow(self, event: Open | Delta | Sound | Signed | Cited) -> None:
        if isinstance(event, Open):
            part = msgspec.structs.replace(event.part)
            _own_lists(part)
            self._parts[event.candidate, event.index] = part
            self._candidate(event.candidate).parts.append(part)
            return
        part = self._part(event.candidate, event.index)
        match event:
            case Delta():
                _lengthen(part, event)
            case Signed():
                part.signature = event.signature
            case Sound() if isinstance(part, Audio):
                part.data += event.data
            case Cited() if isinstance(part, Text):
                part.citations.append(event.citation)
            case _:
                pass

    def _candidate(self, number: int) -> Candidate:
        while len(self.answer.candidates) <= number:
            self.answer.candidates.append(Candidate(parts=[]))
        return self.answer.candidates[number]

    def _part(self, candidate: int, index: int) -> AnyPart:
        part = self._parts.get((candidate, index))
        if part is None:
            raise ValueError(f"part {index} of candidate {candidate} was never opened")
        return part

    def _log(self, event: Logprobs) -> None:
        candidate = self._candidate(event.candidate)
        held = candidate.logprobs if isinstance(candidate.logprobs, dict) else {}
        for name, entries in (event.value or {}).items():
            if entries is not None:
                held[name] = [*(held.get(name) or []), *entries]
        candidate.logprobs = held


def _own_lists(part: AnyPart) -> None:
    if isinstance(part, Text):
        part.citations = list(part.citations)
    elif isinstance(part, Reasoning):
        part.summary = list(part.summary)


def _lengthen(part: AnyPart, delta: Delta) -> None:
    match part:
        case Reasoning() if delta.summary is not None:
            while len(part.summary) <= delta.summary:
                part.summary.append("")
            part.summary[delta.summary] += delta.text
        case Text() | Refused() | Reasoning():
            part.text += delta.text
        case ToolCall():
            part.arguments += delta.text
        case Audio():
            part.transcript += delta.text
        case _:
            raise ValueError(f"a {type(part).__name__} does not grow")


def fold(events: list[Event]) -> Answer:
    """The answer that these events tell."""
    folding = Fold()
    for event in events:
        folding.add(event)
    return folding.answer


def unfold(answer: Answer) -> list[Event]:
    """An answer as a stream would tell it, one delta for each text."""
    events: list[Event] = [Begin(answer.id, answer.model, answer.created)]
    for number, candidate in enumerate(answer.candidates):
        for index, part in enumerate(candidate.parts):
            events += _unfold_part(number, index, part)
        if candidate.logprobs is not None:
            events.append(Logprobs(number, candidate.logprobs))
    for number, candidate in enumerate(answer.candidates):
        events.append(Stop(number, candidate.stop, candidate.stop_sequence, candidate.native_stop))
    if answer.usage:
        events.append(Used(answer.usage))
    events.append(Done())
    return events


def _unfold_part(number: int, index: int, part: AnyPart) -> list[Event]:
    """Opened without what grows, which then comes as deltas, its citations and its signature behind them."""
    bare = msgspec.structs.replace(part, signature=None)
    events: list[Event] = [Open(number, index, bare)]
    match bare:
        case Reasoning(text=text, summary=summary):
            events += [Delta(number, index, piece, place) for place, piece in enumerate(summary)]
            events += [Delta(number, index, text)] if text else []
            bare.text, bare.summary = "", []
        case Text():
            events += [Delta(number, index, bare.text)] if bare.text else []
            events += [Cited(number, index, citation) for citation in bare.citations]
            bare.text, bare.citations = "", []
        case Refused():
            events += [Delta(number, index, bare.text)] if bare.text else []
            bare.text = ""
        case ToolCall():
            events += [Delta(number, index, bare.arguments)] if bare.arguments else []
            bare.arguments = ""
        case Audio():
            events += [Sound(number, index, bare.data)] if bare.data else []
            events += [Delta(number, index, bare.transcript)] if bare.transcript else []
            bare.data = bare.transcript = ""
        case _:
            pass
    if part.signature is not None:
        events.append(Signed(number, index, part.signature))
    events.append(Close(number, index))
    return events
