"""One candidate of a stream as it is told to a caller: the deltas that its events make.

A chunk may tell anything of any part, but a message has one content, one refusal, one reasoning text and one sound. So of
parts that share one of them the later is held back until the earlier has ended. What closes a part off (citations,
signatures, entries of `reasoning_details`) is told when everything before it has ended too: only then its place is known.
"""

from __future__ import annotations

from collections.abc import Callable

from llmgateway.proxy.conversation.events import Cited, Close, Delta, Open, Signed, Sound
from llmgateway.proxy.conversation.parts import AnyPart, Audio, Citation, Image, Json, Reasoning, Refused, Text, ToolCall
from llmgateway.proxy.dialects.openai_chat import details
from llmgateway.proxy.dialects.openai_chat.answer_out import annotation, image, signed

Made = dict[str, Json]
OfPart = Open | Delta | Sound | Signed | Cited | Close
CHANNELS: tuple[type[AnyPart], ...] = (Text, Refused, Reasoning, Audio)


class _Told:
    """A part as far as it was told. `length` counts the characters of its text or arguments."""

    __slots__ = ("citations", "closed", "length", "number", "part", "summarized")

    def __init__(self, part: AnyPart, number: int) -> None:
        self.part = part
        self.number = number
        self.citations: list[Citation] = []
        self.length = 0
        self.closed = False
        self.summarized = -1


class Telling:
    __slots__ = (
        "_annotated",
        "_calls",
        "_entries",
        "_held",
        "_images",
        "_legacy",
        "_queues",
        "_sound",
        "_told",
        "_waiting",
        "called",
        "refused",
    )

    def __init__(self, legacy: bool, sound: str) -> None:
        """`legacy`: calls are told as `function_call`. `sound` is the id of sound that came without one."""
        self._legacy = legacy
        self._sound = sound
        self._told: dict[int, _Told] = {}
        self._queues: dict[type[AnyPart], list[int]] = {}
        self._held: dict[int, list[OfPart]] = {}
        self._waiting: list[int] = []
        self._calls = self._images = self._annotated = self._entries = 0
        self.refused = self.called = False

    def add(self, event: OfPart) -> list[Made]:
        if isinstance(event, Open):
            return self._open(event)
        kind = self._kind(event.index)
        queue = self._queues.get(kind, []) if kind in CHANNELS else []
        if queue and queue[0] != event.index:
            self._held.setdefault(event.index, []).append(event)
            return []
        made = _WRITERS[type(event)](self, self._told[event.index], event)
        return made + self._advance(queue) if isinstance(event, Close) else made

    def finish(self) -> list[Made]:
        """The candidate has stopped: whatever is still open ends."""
        made: list[Made] = []
        for index in sorted(self._told):
            if not self._told[index].closed:
                made += self.add(Close(0, index))
        return made

    def _kind(self, index: int) -> type[AnyPart]:
        told = self._told.get(index)
        if told is None:
            raise ValueError(f"part {index} was never opened")
        return type(told.part)

    def _advance(self, queue: list[int]) -> list[Made]:
        """The next of this channel may go on, with what was held of it."""
        made: list[Made] = []
        if queue:
            queue.pop(0)
            for event in self._held.pop(queue[0], []) if queue else []:
                made += self.add(event)
        return made

    def _open(self, event: Open) -> list[Made]:
        kind, part = type(event.part), event.part
        self._told[event.index] = told = _Told(_own(part), self._calls)
        if kind in CHANNELS:
            self._queues.setdefault(kind, []).append(event.index)
        if isinstance(part, ToolCall):
            self._calls += 1
            self.called = True
            return [self._begin_call(part, told.number)] if not (self._legacy and told.number) else []
        if isinstance(part, Image):
            self._images += 1
            return [{"images": [{"index": self._images - 1, **image(part)}]}]
        if isinstance(part, Audio):
            return [{"audio": {"id": part.audio_id or self._sound}}]
        self.refused = self.refused or kind is Refused
        return []

    def _begin_call(self, part: ToolCall, number: int) -> Made:
        if self._legacy:
            return {"function_call": {"name": part.name, "arguments": ""}}
        kind, text = ("custom", "input") if part.custom else ("function", "arguments")
        return {"tool_calls": [{"index": number, "id": part.id, "type": kind, kind: {"name": part.name, text: ""}}]}

    def _delta(self, told: _Told, event: Delta) -> list[Made]:
        part, text = told.part, event.text
        told.length += len(text)
        match part:
            case Text():
                return [{"content": text}]
            case Refused():
                return [{"refusal": text}]
            case Audio():
                return [{"audio": {"transcript": text}}]
            case ToolCall():
                return self._arguments(part, told.number, text)
            case Reasoning():
                return self._reason(told, part, event)
            case _:
                return []

    def _arguments(self, part: ToolCall, number: int, text: str) -> list[Made]:
        if self._legacy:
            return [{"function_call": {"arguments": text}}] if not number else []
        inner = {"custom": {"input": text}} if part.custom else {"function": {"arguments": text}}
        return [{"tool_calls": [{"index": number, **inner}]}]

    def _reason(self, told: _Told, part: Reasoning, event: Delta) -> list[Made]:
        """A text beside a summary is kept for the entry: one of them is shown."""
        if event.summary is None:
            part.text += event.text
            return [] if part.summary else [{"reasoning_content": event.text}]
        while len(part.summary) <= event.summary:
            part.summary.append("")
        part.summary[event.summary] += event.text
        gap = details.GAP * (event.summary - max(told.summarized, 0)) if event.summary > told.summarized else ""
        told.summarized = max(told.summarized, event.summary)
        return [{"reasoning_content": gap + event.text}]

    def _hear(self, told: _Told, event: Sound) -> list[Made]:
        return [{"audio": {"data": event.data}}]

    def _sign(self, told: _Told, event: Signed) -> list[Made]:
        told.part.signature = event.signature
        return []

    def _cite(self, told: _Told, event: Cited) -> list[Made]:
        told.citations.append(event.citation)
        return []

    def _close(self, told: _Told, event: Close) -> list[Made]:
        if told.closed:
            return []
        told.closed = True
        made: list[Made] = []
        if isinstance(told.part, ToolCall):
            made = self._end_call(told, told.part)
        self._waiting.append(event.index)
        self._waiting.sort()
        while self._waiting and all(other.closed for index, other in self._told.items() if index < self._waiting[0]):
            made += self._end(self._waiting.pop(0))
        return made

    def _end_call(self, told: _Told, part: ToolCall) -> list[Made]:
        """The official SDK wants arguments in every fragment of a call, so a signature comes with empty ones."""
        made = self._arguments(part, told.number, "{}") if not told.length and not part.custom else []
        own = signed(part)
        if not own or self._legacy:
            return made
        inner = {"custom": {"input": ""}} if part.custom else {"function": {"arguments": ""}}
        return [*made, {"tool_calls": [{"index": told.number, **inner, **own}]}]

    def _end(self, index: int) -> list[Made]:
        told = self._told[index]
        before = [other for place, other in self._told.items() if place < index]
        text = sum(other.length for other in before if isinstance(other.part, Text))
        made = self._annotations(told, text)
        part, calls = told.part, sum(isinstance(other.part, ToolCall) for other in before)
        if isinstance(part, Reasoning):
            first = not any(isinstance(other.part, Reasoning) for other in before)
            needed = not (first and details.plain(part)) or self._entries or text or calls
            entry = details.entry(part, self._entries) if needed else None
        else:
            entry = details.carrier(part, self._entries, empty=isinstance(part, Text) and not told.length)
        if entry is not None:
            self._entries += 1
            made.append({"reasoning_details": [details.placed(entry, text, calls)]})
        return made

    def _annotations(self, told: _Told, offset: int) -> list[Made]:
        made = []
        for citation in told.citations:
            entry = annotation(citation, offset, told.length)
            if entry is not None:
                made.append({"annotations": [{"index": self._annotated, **entry}]})
                self._annotated += 1
        return made


def _own(part: AnyPart) -> AnyPart:
    """Of reasoning a copy that may grow."""
    if isinstance(part, Reasoning):
        return Reasoning(text=part.text, summary=list(part.summary), redacted=part.redacted, id=part.id, signature=part.signature)
    return type(part)(**{name: getattr(part, name) for name in part.__struct_fields__})


_WRITERS: dict[type, Callable[..., list[Made]]] = {
    Delta: Telling._delta,
    Sound: Telling._hear,
    Signed: Telling._sign,
    Cited: Telling._cite,
    Close: Telling._close,
}
