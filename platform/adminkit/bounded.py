"""Answers that can't outgrow their bound, however they were compressed, nor outlast their time."""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx


class AnswerTooLarge(httpx.ReadError):
    """The decoded body is larger than this client accepts."""


class BodyBound:
    """Feeds on raw chunks and gives decoded ones. One per answer.

    gzip and deflate are inflated here, in steps that never hold more than the bound; other encodings are refused, they
    were not asked for. `seconds` runs from the start of the request.
    """

    STEP = 65536

    def __init__(self, *, encoding: str, limit: int, deadline: float) -> None:
        self.limit, self.deadline, self.size = limit, deadline, 0
        if encoding in ("", "identity"):
            self.decoder: Any = None
        elif encoding in ("gzip", "x-gzip"):
            self.decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
        elif encoding == "deflate":
            self.decoder = zlib.decompressobj()
        else:
            raise httpx.DecodingError(f"the answer is encoded as {encoding[:40]!r}, which was not asked for")

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        if time.monotonic() > self.deadline:
            raise httpx.ReadTimeout("the whole answer took too long")
        if self.decoder is None:
            yield self._counted(chunk)
            return
        while chunk:
            try:
                piece = self.decoder.decompress(chunk, self.STEP)
            except zlib.error as error:
                raise httpx.DecodingError(f"the answer's compression is broken: {error}") from None
            if not piece and self.decoder.eof:
                return
            yield self._counted(piece)
            chunk = self.decoder.unconsumed_tail

    def _counted(self, piece: bytes) -> bytes:
        self.size += len(piece)
        if self.size > self.limit:
            raise AnswerTooLarge(f"the answer is larger than {self.limit:,} bytes")
        return piece


class BoundedStream(httpx.SyncByteStream):
    def __init__(self, stream: Any, bound: BodyBound) -> None:
        self.stream, self.bound = stream, bound

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.stream:
            yield from self.bound.feed(chunk)

    def close(self) -> None:
        self.stream.close()


class AsyncBoundedStream(httpx.AsyncByteStream):
    def __init__(self, stream: Any, bound: BodyBound) -> None:
        self.stream, self.bound = stream, bound

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.stream:
            for piece in self.bound.feed(chunk):
                yield piece

    async def aclose(self) -> None:
        await self.stream.aclose()


def decoded_headers(headers: httpx.Headers) -> list[tuple[bytes, bytes]]:
    """The headers of an answer whose body is decoded already."""
    if headers.get("content-encoding", "identity").lower() == "identity":
        return headers.raw
    return [(name, value) for name, value in headers.raw if name.lower() not in (b"content-encoding", b"content-length")]
