"""multipart/form-data (RFC 7578), found in place: where each part of a form begins and ends."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator
from mmap import mmap
from typing import NamedTuple

from dataplane.errors import BadRequest

MOST_PARTS = 64
MOST_HEADER = 16 * 1024
MOST_FIELD = 64 * 1024
"""Bytes of a part that is not a file."""

_BOUNDARY = re.compile(r'(?:^|;)\s*boundary=(?:"([^"\\]{1,70})"|([^\s";]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb'(?:^|;)\s*name="([A-Za-z0-9_\[\].-]{1,100})"', re.IGNORECASE)
_FILENAME = re.compile(rb'(?:^|;)\s*filename="((?:[^"\r\n\\]|\\.){0,500})"', re.IGNORECASE)
_TYPE = re.compile(rb"[A-Za-z0-9!#$&^_.+/;= -]{1,200}")
_LINE_END = re.compile(rb"[ \t]*\r\n")


class Part(NamedTuple):
    """`start` and `end` are offsets of its content; `filename` None: it is no file."""

    name: str
    filename: bytes | None
    content_type: bytes
    start: int
    end: int


def boundary_of(content_type: str | None) -> bytes:
    """Raises BadRequest for what is no form."""
    kind, _, parameters = (content_type or "").partition(";")
    found = _BOUNDARY.search(parameters) if kind.strip().lower() == "multipart/form-data" else None
    if found is None:
        raise BadRequest("The body must be multipart/form-data with a boundary.", code="invalid_form")
    return (found[1] or found[2]).encode("latin-1")


def parts_of(data: mmap, boundary: bytes) -> dict[str, Part]:
    """The parts by name. Raises BadRequest for a broken form, and for a name that is there twice: which one counts would be
    up to the provider."""
    delimiter = b"--" + boundary
    at = 0 if data[: len(delimiter)] == delimiter else data.find(b"\r\n" + delimiter) + 2
    if at == 1:
        raise _broken("it does not begin with its boundary")
    found: dict[str, Part] = {}
    at += len(delimiter)
    while data[at : at + 2] != b"--":
        part, at = _part(data, at, b"\r\n" + delimiter)
        if part.name in found:
            raise _broken(f"the part {part.name} is there twice")
        found[part.name] = part
        if len(found) > MOST_PARTS:
            raise _broken(f"it has more than {MOST_PARTS} parts")
    return found


def _part(data: mmap, at: int, delimiter: bytes) -> tuple[Part, int]:
    """The part behind a boundary, and where the next boundary ends."""
    line_end = _LINE_END.match(data, at)
    if line_end is None:
        raise _broken("a boundary is not followed by a line's end")
    head_end = data.find(b"\r\n\r\n", line_end.end() - 2, line_end.end() + MOST_HEADER)
    if head_end < 0:
        raise _broken("the headers of a part do not end")
    start = head_end + 4
    end = data.find(delimiter, start)
    if end < 0:
        raise _broken("it does not end with its boundary")
    headers = dict(_headers(data[line_end.end() : head_end]))
    kind, _, parameters = headers.get(b"content-disposition", b"").partition(b";")
    name = _NAME.search(parameters)
    if kind.strip().lower() != b"form-data" or name is None:
        raise _broken("a part has no name that the house can read")
    filename = _FILENAME.search(parameters)
    content_type = headers.get(b"content-type", b"")
    if content_type and not _TYPE.fullmatch(content_type):
        raise _broken("a part has a strange content type")
    part = Part(name[1].decode(), None if filename is None else filename[1], content_type, start, end)
    return part, end + len(delimiter)


def _headers(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            yield name.strip().lower(), value.strip()


def field(data: mmap, parts: dict[str, Part], name: str) -> str | None:
    """The text of a part that is no file, None when it is not there. Raises BadRequest."""
    part = parts.get(name)
    if part is None:
        return None
    if part.filename is not None or part.end - part.start > MOST_FIELD:
        raise BadRequest(f"The part {name} must be a short text.", param=name, code="invalid_type")
    try:
        return data[part.start : part.end].decode()
    except UnicodeDecodeError:
        raise BadRequest(f"The part {name} is not valid UTF-8.", param=name, code="invalid_type") from None


def rebuilt(data: mmap, parts: dict[str, Part], file: str, content: Iterable[bytes]) -> tuple[str, Iterator[bytes]]:
    """A form of the same parts with other content in the file: its content type and its bytes. It is written anew, so that
    a provider reads nothing in it but what was read here. Raises BadRequest for a field beyond all measure."""
    boundary = f"customhouse-{secrets.token_hex(16)}"

    def body() -> Iterator[bytes]:
        for part in parts.values():
            yield f"--{boundary}\r\n".encode() + _head(part)
            if part.name == file:
                yield from content
            else:
                field(data, parts, part.name)
                yield data[part.start : part.end]
            yield b"\r\n"
        yield f"--{boundary}--\r\n".encode()

    return f"multipart/form-data; boundary={boundary}", body()


def _head(part: Part) -> bytes:
    head = b'Content-Disposition: form-data; name="' + part.name.encode() + b'"'
    if part.filename is not None:
        head += b'; filename="' + part.filename + b'"'
    if part.content_type:
        head += b"\r\nContent-Type: " + part.content_type
    return head + b"\r\n\r\n"


def _broken(why: str) -> BadRequest:
    return BadRequest(f"The form is broken: {why}.", code="invalid_form")
