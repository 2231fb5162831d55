"""One part of a stream as far as it has been told, and the events that tell more of it."""

from __future__ import annotations

import msgspec

from llmgateway.proxy.conversation.events import Cited, Close, Delta, Event, Open, Signed
from llmgateway.proxy.conversation.parts import AnyPart, Citation, Reasoning, Refused, Text, ToolCall


class Told:
    """Of its texts only the lengths are kept. `part` is what it was opened with, without what grows. A part that has been
    closed tells nothing more."""

    __slots__ = ("_citations", "_length", "_open", "_summary", "index", "part")

    def __init__(self, part: AnyPart, index: int) -> None:
        self.part = _bare(part)
        self.index = index
        self._length = 0
        self._summary: list[int] = []
        self._citations = 0
        self._open = True

    def opening(self) -> Event:
        return Open(0, self.index, self.part)

    def grow(self, text: str) -> list[Event]:
        if not text or not self._open:
            return []
        self._length += len(text)
        return [Delta(0, self.index, text)]

    def summarize(self, place: int, text: str) -> list[Event]:
        """An empty text still tells that there is a piece at this place."""
        if not self._open or not 0 <= place <= len(self._summary):
            return []
        new = place == len(self._summary)
        if new:
            self._summary.append(0)
        self._summary[place] += len(text)
        return [Delta(0, self.index, text, place)] if text or new else []

    def cite(self, citation: Citation) -> list[Event]:
        if not self._open:
            return []
        self._citations += 1
        return [Cited(0, self.index, citation)]

    def close(self, whole: AnyPart | None = None) -> list[Event]:
        """With what `whole`, the part as its vendor tells it in the end, has beyond what was told."""
        if not self._open:
            return []
        rest = self._rest(whole) if type(whole) is type(self.part) else []
        self._open = False
        return [*rest, Close(0, self.index)]

    def _rest(self, whole: AnyPart | None) -> list[Event]:
        match whole:
            case Reasoning():
                pieces = [event for place, text in enumerate(whole.summary) for event in self._rest_of_piece(place, text)]
                signed: list[Event] = [Signed(0, self.index, whole.signature)] if whole.signature is not None else []
                return [*pieces, *self.grow(whole.text[self._length :]), *signed]
            case Text():
                grown = self.grow(whole.text[self._length :])
                return grown + [event for cited in whole.citations[self._citations :] for event in self.cite(cited)]
            case Refused():
                return self.grow(whole.text[self._length :])
            case ToolCall():
                return self.grow(whole.arguments[self._length :])
            case _:
                return []

    def _rest_of_piece(self, place: int, text: str) -> list[Event]:
        known = self._summary[place] if place < len(self._summary) else 0
        return self.summarize(place, text[known:])


def _bare(part: AnyPart) -> AnyPart:
    bare = msgspec.structs.replace(part, signature=None, at="")
    match bare:
        case Text():
            bare.text, bare.citations = "", []
        case Refused():
            bare.text = ""
        case ToolCall():
            bare.arguments = ""
        case Reasoning():
            bare.text, bare.summary = "", []
        case _:
            pass
    return bare
