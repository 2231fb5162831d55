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

    __slots__ = ("rest",)

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, chunk: bytes) -> bytes:
        if not self.rest and chunk.endswith(b"\n\n"):
            return chunk
        buffer = self.rest + chunk if self.rest else chunk
        end = _last_end(buffer)
        self.rest = buffer[end:]
        if len(self.rest) > MAX_EVENT:
            raise UpstreamFailed("The upstream sent one event that is larger than the house relays.")
        return buffer[:end] if end != len(buffer) else buffer


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
