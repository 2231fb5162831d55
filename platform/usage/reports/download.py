"""A report as an answer. It is written to a temporary file first: what fails half-way is an error and no cut-off file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from tempfile import TemporaryFile
from typing import IO, Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from usage.reports import formats
from usage.reports.costs import CostReport

CHUNK = 256 * 1024


def response(request: HttpRequest, report: CostReport, kind: str) -> StreamingHttpResponse:
    """JSON is shown, the others are saved. Raises BadReport."""
    file: IO[bytes] = TemporaryFile()  # noqa: SIM115 - closed when it is read to its end or the response is closed
    try:
        formats.write(report, kind, file)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    chunks: Any = _chunks_async(file) if isinstance(request, ASGIRequest) else _chunks(file)
    answer = StreamingHttpResponse(chunks, content_type=formats.CONTENT_TYPES[kind])
    answer["Content-Length"] = str(size)
    answer["Cache-Control"] = "no-store"
    if kind != "json":
        answer["Content-Disposition"] = f'attachment; filename="{report.filename}.{kind}"'
    return answer


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


async def _chunks_async(file: IO[bytes]) -> AsyncIterator[bytes]:
    """An ASGI server would otherwise have Django read all of it into memory first."""
    with file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
