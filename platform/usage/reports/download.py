"""A report as an answer. It is written to a temporary file first: what fails half-way is an error and no cut-off file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from tempfile import TemporaryFile
from typing import IO

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from usage.reports import formats
from usage.reports.costs import CostReport

CHUNK = 256 * 1024


def response(request: HttpRequest, report: CostReport, kind: str) -> StreamingHttpResponse:
    """JSON is shown, the others are saved. Raises BadReport."""
    file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - the response closes it
    try:
        formats.write(report, kind, file)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    chunks = AsyncChunks(file) if isinstance(request, ASGIRequest) else Chunks(file)
    answer = StreamingHttpResponse(chunks, content_type=formats.CONTENT_TYPES[kind])
    answer["Content-Length"] = str(size)
    answer["Cache-Control"] = "no-store"
    if kind != "json":
        answer["Content-Disposition"] = f'attachment; filename="{report.filename}.{kind}"'
    return answer


class Chunks:
    """A file, piece by piece. The response closes it, read or not."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if chunk := self._file.read(CHUNK):
            return chunk
        raise StopIteration

    def close(self) -> None:
        self._file.close()


class AsyncChunks:
    """The same for an ASGI server: it would otherwise have Django read all of it into memory first."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if chunk := await asyncio.to_thread(self._file.read, CHUNK):
            return chunk
        raise StopAsyncIteration

    def close(self) -> None:
        self._file.close()
