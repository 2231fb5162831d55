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
_NAME = rb'\s*;\s*name="(?P<name>[A-Za-z0-9_\[\].-]{1,100})"'
_FILENAME = rb'(?:\s*;\s*filename="(?P<filename>(?:[^"\r\n\\]|\\.){0,500})")?'
_OTHER_SPELLING = rb"(?:\s*;\s*filename\*=[A-Za-z0-9'%!#$&+.^_`|~-]{1,1500})?\s*"
_DISPOSITION = re.compile(rb"form-data" + _NAME + _FILENAME + _OTHER_SPELLING, re.IGNORECASE)
"""Said whole: a name inside of another value, or a second one, could be the one that a provider reads."""

_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")
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
    found: dict[str, Part] = {}
    for part in each_part(data, boundary):
        if part.name in found:
            raise _broken(f"the part {part.name} is there twice")
        found[part.name] = part
    return found


def each_part(data: mmap, boundary: bytes) -> list[Part]:
    """The parts in order; a name may be there more than once. Raises BadRequest for a broken form."""
    delimiter = b"--" + boundary
    at = 0 if data[: len(delimiter)] == delimiter else data.find(b"\r\n" + delimiter) + 2
    if at == 1:
        raise _broken("it does not begin with its boundary")
    found: list[Part] = []
    at += len(delimiter)
    while data[at : at + 2] != b"--":
        part, at = _part(data, at, b"\r\n" + delimiter)
        found.append(part)
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
    headers = _headers(data[line_end.end() : head_end])
    told = _DISPOSITION.fullmatch(headers.get(b"content-disposition", b""))
    if told is None:
        raise _broken("a part has no name that the house can read")
    content_type = headers.get(b"content-type", b"")
    if content_type and not _TYPE.fullmatch(content_type):
        raise _broken("a part has a strange content type")
    part = Part(told["name"].decode(), told["filename"], content_type, start, end)
    return part, end + len(delimiter)


def _headers(block: bytes) -> dict[bytes, bytes]:
    """Raises BadRequest for a line that is no header (a folded one, one with a bare CR or LF) and for a header that is there
    twice."""
    headers: dict[bytes, bytes] = {}
    for line in block.split(b"\r\n"):
        told = _HEADER.fullmatch(line)
        if told is None or told[1].lower() in headers:
            raise _broken("the headers of a part can not be read")
        headers[told[1].lower()] = told[2].strip()
    return headers


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
