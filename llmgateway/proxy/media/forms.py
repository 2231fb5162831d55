"""A caller's form (images, audio) on its way to a provider: put by on disk, its fields read, and sent on as it came but for
the name of the model."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

from dataplane.asgi import Request
from dataplane.errors import BadRequest, HouseError, RateLimited
from llmgateway.proxy.stored import forms
from llmgateway.proxy.stored.forms import Part
from llmgateway.proxy.stored.spool import Spool, received

MAX_FORM = 64 * 1024 * 1024
AT_ONCE = 64
"""Forms of a worker that are put by at the same time."""

PATIENCE = 600.0
"""Seconds that a form may take to come in."""

MOST_LOOKED_AT = 64
"""Bytes at the beginning of a file that tell what it is."""

MODEL = "model"


class Upload(NamedTuple):
    """One file of a form. `head` are its first bytes."""

    name: str
    size: int
    head: bytes


class Form:
    """`fields` are the texts of the form by name: the model's is there once, and never as a file. Of those that may be there
    more than once it is the last. `files` are in order."""

    __slots__ = ("_model", "_spool", "content_type", "fields", "files")

    def __init__(self, spool: Spool, content_type: str, *, fields: dict[str, str], files: list[Upload], model: Part) -> None:
        self._spool = spool
        self.content_type = content_type
        self.fields = fields
        self.files = files
        self._model = model

    def body(self, model: str) -> Spliced:
        """The form as it came, with this name of the model."""
        return Spliced(self._spool, self._model.start, self._model.end, model.encode())

    async def digest(self) -> bytes:
        """Of all that was sent but for what parts its parts, which clients make up anew each time."""
        boundary = forms.boundary_of(self.content_type)
        digest, rest = sha256(), b""
        async for chunk in self._spool.chunks():
            data = (rest + chunk).replace(boundary, b"")
            kept = max(len(data) - len(boundary) + 1, 0)  # the rest may be the beginning of one
            digest.update(data[:kept])
            rest = data[kept:]
        digest.update(rest)
        return digest.digest()


class Spliced:
    """What was put by, with other bytes in one place. Conforms to `dataplane.upstream.Streamed`."""

    __slots__ = ("_end", "_spool", "_start", "_text", "length")

    def __init__(self, spool: Spool, start: int, end: int, text: bytes) -> None:
        self._spool = spool
        self._start, self._end, self._text = start, end, text
        self.length = spool.length - (end - start) + len(text)

    async def chunks(self) -> AsyncIterator[bytes]:
        at = 0
        async for chunk in self._spool.chunks():
            stop = at + len(chunk)
            if at < self._start:
                yield chunk[: self._start - at]
            if at <= self._start < stop:
                yield self._text
            if stop > self._end:
                yield chunk[max(self._end - at, 0) :]
            at = stop


class Forms:
    """Owns how many are put by at once."""

    def __init__(self) -> None:
        self._under_way = 0

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if self._under_way >= AT_ONCE:
            raise RateLimited(f"{AT_ONCE} uploads are under way; try again in a moment.", retry_after=1.0)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def take(self, request: Request, directory: Path, *, single: frozenset[str]) -> Form:
        """Reads the whole form; nothing of it has left by then. `single` names the fields that may be there only once,
        beside the model's. Raises BadRequest, PayloadTooLarge, RateLimited and Disconnected."""
        content_type = request.header(b"content-type") or ""
        boundary = forms.boundary_of(content_type)
        with self._place():
            try:
                async with asyncio.timeout(PATIENCE):
                    spool = await received(request, directory, limit=MAX_FORM)
            except TimeoutError:
                raise HouseError("The upload took too long.", code="request_timeout", status=408) from None
            if not spool.length:
                raise BadRequest("The form is empty.", code="invalid_form")
            return await asyncio.to_thread(_read, spool, content_type, boundary, single)


def _read(spool: Spool, content_type: str, boundary: bytes, single: frozenset[str]) -> Form:
    with spool.mapped() as data:
        parts = forms.each_part(data, boundary)
        if _occurrences(data, b"--" + boundary) != len(parts) + 1:
            # A parser that is laxer about line ends would find more parts than were read here.
            raise BadRequest("The form is broken: its boundary stands inside of a part.", code="invalid_form")
        texts: dict[str, str] = {}
        files: list[Upload] = []
        for part in parts:
            _refuse_ambiguous(part, texts, single)
            if part.filename is not None and part.name not in single and part.name != MODEL:
                files.append(Upload(part.name, part.end - part.start, data[part.start : min(part.end, part.start + MOST_LOOKED_AT)]))
                continue
            texts[part.name] = forms.field(data, {part.name: part}, part.name) or ""
        model = next((part for part in parts if part.name == MODEL), None)
    if model is None:
        raise BadRequest("The part model is required.", param=MODEL, code="missing_field")
    if not texts[MODEL]:
        raise BadRequest("The part model must not be empty.", param=MODEL, code="invalid_value")
    return Form(spool, content_type, fields=texts, files=files, model=model)


def _refuse_ambiguous(part: Part, texts: dict[str, str], single: frozenset[str]) -> None:
    """What the gateway decides by is said once and in one spelling: frameworks read `Model` or `model[]` as `model`."""
    plain = part.name.partition("[")[0].casefold()
    if plain != MODEL and plain not in single:
        return
    if part.name != plain:
        raise BadRequest(f"The part {part.name} is ambiguous: it is almost {plain}.", param=part.name, code="ambiguous_field")
    if part.name in texts:
        raise BadRequest(f"The form is broken: the part {part.name} is there twice.", param=part.name, code="invalid_form")


def _occurrences(data: mmap, what: bytes) -> int:
    count, at = 0, data.find(what)
    while at >= 0:
        count += 1
        at = data.find(what, at + len(what))
    return count
