"""Reads the usage of Gemini's answers on their way between a caller and a vendor of this dialect.

Whole answers and server-sent events are read as everywhere. Without `alt=sse` a stream is one JSON array, cut at any byte:
it is relayed element by element, so that an error can be put behind the last one and the array still closed.
"""

from __future__ import annotations

import re

import msgspec

from dataplane.call import Meter, Usage
from dataplane.errors import HouseError, UpstreamFailed
from dataplane.sse import MAX_EVENT, Splitter, data_of, event, events
from llmgateway.proxy.dialects.endpoint import ANSWERED_BYTES_PER_TOKEN, UNREADABLE, refuse_garbled
from llmgateway.proxy.dialects.gemini.errors import gemini_object
from llmgateway.proxy.dialects.gemini.usage import GeminiUsage, from_gemini

ALIVE = b"\n"
"""A sign of life: an empty line says nothing in either form of a stream. The official SDK takes a comment for a broken chunk."""

_SPACE = b" \t\r\n"
_STRING = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
_REST_OF_STRING = re.compile(_STRING, re.DOTALL)
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"' + _STRING + rb'")*+', re.DOTALL)
"""Over everything, whole strings included, to the next bracket or to a string that has not ended yet."""

_TOLD_LAST = (b"finish", b"rror", b"romptFeedback", b"rompt_feedback")
"""Parts of the names that say more than the usage so far, which every chunk tells."""


class _Candidate(msgspec.Struct, rename="camel"):
    finish_reason: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    usage_metadata: GeminiUsage | None = None
    prompt_feedback: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


_answers = msgspec.json.Decoder(_Answer)


class Elements:
    """Cuts a JSON array into its elements. `feed` gives the bytes up to the end of the last whole element, with what stands
    between them, and the elements themselves. Raises UpstreamFailed for an element larger than MAX_EVENT."""

    __slots__ = ("_begin", "_depth", "_escaped", "_parts", "_quoted", "_size", "closed", "empty")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = self._depth = 0
        self._begin = -1
        self._quoted = self._escaped = False
        self.closed = False
        """The array has ended."""
        self.empty = True
        """No element has passed yet."""

    @property
    def rest(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, data: bytes) -> tuple[bytes, list[bytes]]:
        """Looks only at what is new, however many pieces an element comes in."""
        spans, end = self._scan(data)
        self._parts.append(data)
        self._size += len(data)
        if not end:
            if self._size > MAX_EVENT:
                raise UpstreamFailed("The upstream sent one element that is larger than the house relays.")
            return b"", []
        held = b"".join(self._parts)
        self._parts, self._size, self._begin = [held[end:]], self._size - end, self._begin - end
        self.empty = self.empty and not spans
        return held[:end], [held[first:last] for first, last in spans]

    def _scan(self, data: bytes) -> tuple[list[tuple[int, int]], int]:
        """Where elements begin and end in all that is held, and the last end of an element or of the array."""
        spans: list[tuple[int, int]] = []
        place, end = self._out_of_string(data) if self._quoted else 0, 0
        while not self._quoted:
            place = _TO_BRACKET.match(data, place).end()  # type: ignore[union-attr]
            mark = data[place : place + 1]
            if not mark:
                break
            place += 1
            if mark == b'"':
                self._quoted = True
                self._out_of_string(data, place)
            elif self._bracket(mark, self._size + place):
                end = self._size + place
                if not self.closed:
                    spans.append((self._begin, end))
        return spans, end

    def _out_of_string(self, data: bytes, place: int = 0) -> int:
        """The offset behind the string that goes on at this place; it may go on beyond the data, and be cut in an escape."""
        if self._escaped and data:
            place, self._escaped = place + 1, False
        place = _REST_OF_STRING.match(data, place).end()  # type: ignore[union-attr]
        self._quoted = data[place : place + 1] != b'"'
        self._escaped = data[place : place + 1] == b"\\" or (self._escaped and not data)
        return place + 1

    def _bracket(self, mark: bytes, place: int) -> bool:
        """Whether it closes an element, or the array."""
        if mark in b"{[":
            self._depth += 1
            if self._depth == 2:
                self._begin = place - 1
            return False
        self._depth -= 1
        self.closed = self._depth <= 0
        return self._depth <= 1


class GeminiMeter(Meter):
    """`injected` is always False: nothing has to be asked for, every chunk tells the usage so far."""

    beat = ALIVE

    __slots__ = ("_chunks", "_elements", "_final", "_last", "_latest", "_splitter", "_started")

    def __init__(self, injected: bool = False) -> None:
        super().__init__()
        self._splitter = Splitter()
        self._elements: Elements | None = None
        self._started = self._final = False
        self._last: GeminiUsage | None = None
        self._latest = b""
        self._chunks = 0

    def whole(self, body: bytes) -> bytes:
        try:
            self._learn(_answers.decode(body))
        except UNREADABLE as error:
            refuse_garbled(body, error)
        self._final = True
        if self.usage() is None:
            self._chunks = len(body) // ANSWERED_BYTES_PER_TOKEN
        return body

    def feed(self, data: bytes) -> bytes:
        if not self._started:
            begin = data.lstrip(_SPACE)
            if not begin:
                return data
            self._started = True
            self._elements = Elements() if begin.startswith(b"[") else None
        if self._elements is None:
            block = self._splitter.feed(data)
            return self._events(block) if block else block
        block, found = self._elements.feed(data)
        self._chunks += len(found)
        for one in found:
            self._read(one)
        self.complete = self._elements.closed
        return block

    def _events(self, block: bytes) -> bytes:
        """Chunks that say no more than how much was used so far are looked at only if they turn out to be the last."""
        self._chunks += block.count(b"data:")
        if self._final or any(name in block for name in _TOLD_LAST):
            self._latest = b""
            self._read_events(block)
        else:
            self._latest = block
        return block

    def _read_events(self, block: bytes) -> None:
        for one in events(block):
            data = data_of(one)
            if data is not None:
                self._read(data)

    def _read(self, body: bytes) -> None:
        try:
            self._learn(_answers.decode(body))
        except UNREADABLE:
            return

    def _learn(self, told: _Answer) -> None:
        if bytes(told.error) not in (b"", b"null"):
            self.failed = True
        if told.usage_metadata is not None:
            self._last = told.usage_metadata
        if bytes(told.prompt_feedback) not in (b"", b"null") or any(one.finish_reason for one in told.candidates or ()):
            self._final = True

    def finish(self) -> bytes:
        if self._elements is not None:
            return self._elements.rest
        return self._events(self._splitter.rest) if self._splitter.rest else b""

    def usage(self) -> Usage | None:
        """Only what was told with or after a reason to end: before, each chunk tells what was used so far."""
        return from_gemini(self._last) if self._final and self._last is not None else None

    def partial(self) -> Usage:
        self._read_events(self._latest)
        known = from_gemini(self._last) if self._last is not None else None
        if known is None:
            return {"output": self._chunks} if self._chunks else {}
        return {**known, "output": max(self._chunks, known["output"])}

    def broken(self, error: HouseError, request_id: str) -> bytes:
        body = gemini_object(error, request_id)
        if self._elements is None:
            return event(body)
        if self._elements.closed:
            return b""
        return (b"[" if self._elements.empty else b",\r\n") + body + b"]"


class VectorsMeter(GeminiMeter):
    """Of an answer that is vectors, whose size says nothing about tokens."""

    __slots__ = ()

    def partial(self) -> Usage:
        return {}
