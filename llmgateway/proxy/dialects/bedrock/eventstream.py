"""AWS's binary event stream (application/vnd.amazon.eventstream), sans-IO, from its published format.

A message is: total length, length of the headers (4 bytes each, big-endian), CRC32 of those eight bytes; the headers; the
payload; CRC32 of everything before it. A header is: length of its name (1 byte), name, type (1 byte), value.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from llmgateway.proxy.dialects.dialect import Unreadable

CONTENT_TYPE = "application/vnd.amazon.eventstream"

MAX_MESSAGE = 16 * 1024 * 1024
"""A longer message is refused before it is gathered. AWS's limit of a payload is 24 MiB, but no event of a model's answer
comes near to 16: the largest is an image of a few MiB."""

MAX_HEADERS = 128 * 1024
"""AWS's own limit."""

_PRELUDE = struct.Struct("!III")
_CRC = struct.Struct("!I")
_FRAME = _PRELUDE.size + _CRC.size

TRUE, FALSE, BYTE, SHORT, INTEGER, LONG, BYTES, TEXT, TIME, UUID = range(10)
_FIXED = {
    BYTE: struct.Struct("!b"),
    SHORT: struct.Struct("!h"),
    INTEGER: struct.Struct("!i"),
    LONG: struct.Struct("!q"),
    TIME: struct.Struct("!q"),
}

Value = bool | int | bytes | str


class Millis(int):
    """A header's time, in milliseconds since 1970."""


class Id(bytes):
    """A header's UUID, its sixteen bytes."""


class Message(NamedTuple):
    headers: dict[str, Value]
    payload: bytes

    def header(self, name: str) -> str:
        """A header's text, "" where there is none."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else ""


class Decoder:
    """Gathers bytes, in any split, and gives the messages that are complete. Raises Unreadable for what is no event stream:
    a wrong checksum, a length that can't be, a header that runs over its end."""

    __slots__ = ("_buffer", "_need")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._need = _PRELUDE.size

    @property
    def rest(self) -> int:
        """Bytes of a message that has not ended."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Message]:
        self._buffer += data
        found = []
        start = 0
        while len(self._buffer) - start >= self._need:
            if self._need == _PRELUDE.size:
                self._need = _length(self._buffer[start : start + _PRELUDE.size])
                continue
            found.append(_message(bytes(self._buffer[start : start + self._need])))
            start += self._need
            self._need = _PRELUDE.size
        if start:
            del self._buffer[:start]
        return found


def _length(prelude: bytearray) -> int:
    total, headers, told = _PRELUDE.unpack(prelude)
    if zlib.crc32(prelude[:8]) != told:
        raise Unreadable("the checksum of an event's lengths is wrong")
    if not _FRAME <= total <= MAX_MESSAGE or headers > min(total - _FRAME, MAX_HEADERS):
        raise Unreadable("an event tells a length that it can't have")
    return int(total)


def _message(frame: bytes) -> Message:
    if zlib.crc32(frame[:-4]) != _CRC.unpack(frame[-4:])[0]:
        raise Unreadable("the checksum of an event is wrong")
    end = _PRELUDE.size + int.from_bytes(frame[4:8], "big")
    return Message(_headers(frame[_PRELUDE.size : end]), frame[end:-4])


def _headers(data: bytes) -> dict[str, Value]:
    found: dict[str, Value] = {}
    place = 0
    try:
        while place < len(data):
            name, place = _sized(data, place, 1)
            kind = data[place]
            value, place = _value(kind, data, place + 1)
            found[name.decode()] = value
    except (IndexError, struct.error, UnicodeDecodeError):
        raise Unreadable("the headers of an event are broken") from None
    return found


def _sized(data: bytes, place: int, width: int) -> tuple[bytes, int]:
    """Bytes behind their own length of `width` bytes."""
    start = place + width
    end = start + int.from_bytes(data[place:start], "big")
    if end > len(data) or start > len(data):
        raise IndexError
    return data[start:end], end


def _value(kind: int, data: bytes, place: int) -> tuple[Value, int]:
    if kind in (TRUE, FALSE):
        return kind == TRUE, place
    if kind in (BYTES, TEXT):
        found, end = _sized(data, place, 2)
        return (found.decode() if kind == TEXT else found), end
    if kind == UUID:
        if place + 16 > len(data):
            raise IndexError
        return Id(data[place : place + 16]), place + 16
    form = _FIXED.get(kind)
    if form is None:
        raise Unreadable(f"an event has a header of the unknown type {kind}")
    (number,) = form.unpack_from(data, place)
    return (Millis(number) if kind == TIME else number), place + form.size


def encode(headers: Mapping[str, Value], payload: bytes) -> bytes:
    """One message. A header's type is that of its value; an integer takes the narrowest type that holds it."""
    head = b"".join(_header(name, value) for name, value in headers.items())
    lengths = struct.pack("!II", len(head) + len(payload) + _FRAME, len(head))
    message = b"".join((lengths, _CRC.pack(zlib.crc32(lengths)), head, payload))
    return message + _CRC.pack(zlib.crc32(message))


def _header(name: str, value: Value) -> bytes:
    named = name.encode()
    return bytes((len(named),)) + named + _encoded(value)


def _encoded(value: Value) -> bytes:
    if isinstance(value, bool):
        return bytes((TRUE if value else FALSE,))
    if isinstance(value, Millis):
        return bytes((TIME,)) + _FIXED[TIME].pack(value)
    if isinstance(value, int):
        kind = next(kind for kind in (BYTE, SHORT, INTEGER, LONG) if -(1 << bits(kind)) <= value < 1 << bits(kind))
        return bytes((kind,)) + _FIXED[kind].pack(value)
    if isinstance(value, Id):
        return bytes((UUID,)) + value
    raw = value.encode() if isinstance(value, str) else value
    return bytes((TEXT if isinstance(value, str) else BYTES,)) + len(raw).to_bytes(2, "big") + raw


def bits(kind: int) -> int:
    """Bits of an integer type beside its sign."""
    return _FIXED[kind].size * 8 - 1


def event(kind: str, payload: bytes) -> bytes:
    """One event of a model's answer as Bedrock frames it."""
    return encode({":event-type": kind, ":content-type": "application/json", ":message-type": "event"}, payload)


def exception(kind: str, payload: bytes) -> bytes:
    return encode({":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}, payload)
