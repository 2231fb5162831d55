"""Server-sent events, sans-IO: finds where events end, whatever the line endings and wherever the bytes were split.

Bytes are never changed here. An event ends at a blank line; a blank line is two line ends in a row, each LF, CRLF or CR
(WHATWG HTML, "event stream interpretation").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataplane.errors import UpstreamFailed

MAX_EVENT = 8 * 1024 * 1024
"""One event larger than this is not a model's delta but an attack on memory."""

LONGEST_END = 4
"""Bytes of the longest blank line with the line end before it."""

_END = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n|\r\n\r|\n\r")
_LINE = re.compile(rb"\r\n|\n|\r")


def _last_end(buffer: bytes) -> int:
    """Offset behind the last complete event in the buffer, 0 when there is none. A CR at the very end may be half of a
    CRLF, so it does not end an event yet unless it already closes a pair of CRs."""
    end = buffer.rfind(b"\n\n") + 2
    other = buffer.rfind(b"\n\r\n") + 3
    if other > 2 and other > end:
        end = other
    if b"\r\r" in buffer:
        end = max(end, buffer.rfind(b"\r\r") + 2)
    return end if end > 1 else 0


class Splitter:
    """Cuts a byte stream at event boundaries. `feed` returns the bytes up to the last complete event (maybe several
    events, maybe none), `rest` is what has not ended yet. Raises UpstreamFailed when one event passes MAX_EVENT."""

    __slots__ = ("_parts", "_size", "_tail")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._tail = b""

    @property
    def rest(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, chunk: bytes) -> bytes:
        """Looks only at what is new: an event of megabytes comes in thousands of chunks."""
        if not self._parts and chunk.endswith(b"\n\n"):
            return chunk
        held = len(self._tail)
        window = self._tail + chunk if held else chunk
        end = _last_end(window)
        if not end:
            self._keep(chunk, window)
            return b""
        block = b"".join((*self._parts, chunk[: end - held]))
        self._parts, self._size, self._tail = [], 0, b""
        if end != len(window):
            self._keep(chunk[end - held :], window[end:])
        return block

    def _keep(self, chunk: bytes, window: bytes) -> None:
        if chunk:
            self._parts.append(chunk)
            self._size += len(chunk)
            self._tail = window[-LONGEST_END + 1 :]
        if self._size > MAX_EVENT:
            raise UpstreamFailed("The upstream sent one event that is larger than the house relays.")


def events(block: bytes) -> Iterator[bytes]:
    """The events of a block that ends at a boundary, each with its own terminator, so that joining gives the block."""
    start = 0
    for match in _END.finditer(block):
        yield block[start : match.end()]
        start = match.end()
    if start < len(block):
        yield block[start:]


def data_of(event: bytes) -> bytes | None:
    """The event's data, lines joined by LF; None when it has no data line (a comment, an empty event)."""
    lines = []
    for line in _LINE.split(event):
        if line.startswith(b"data:"):
            lines.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line == b"data":
            lines.append(b"")
    if not lines:
        return None
    return lines[0] if len(lines) == 1 else b"\n".join(lines)


def event(data: bytes, *, name: bytes | None = None) -> bytes:
    """One event with single-line data."""
    head = b"event: " + name + b"\n" if name else b""
    return head + b"data: " + data + b"\n\n"
