"""What is too large for memory, put by in a file that has no name: it is gone with whoever holds it."""

from __future__ import annotations

import asyncio
import mmap
import os
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from dataplane.asgi import Disconnected, Request
from dataplane.errors import PayloadTooLarge

CHUNK = 256 * 1024
BLOCK = 1024 * 1024
"""Bytes that are gathered before a thread writes them."""


class Spool:
    """Conforms to `dataplane.upstream.Streamed`. Writing blocks: it is for threads."""

    __slots__ = ("_fd", "length")

    def __init__(self, directory: Path) -> None:
        self._fd, name = tempfile.mkstemp(dir=directory, prefix=".upload-")
        Path(name).unlink()
        self.length = 0

    def __del__(self) -> None:
        fd, self._fd = getattr(self, "_fd", -1), -1
        if fd >= 0:
            os.close(fd)

    def write(self, parts: Iterable[bytes]) -> None:
        for part in parts:
            view = memoryview(part)
            while view:
                written = os.write(self._fd, view)
                self.length += written
                view = view[written:]

    def mapped(self) -> mmap.mmap:
        """Its bytes, to be read in place. Raises ValueError when there are none."""
        return mmap.mmap(self._fd, self.length, access=mmap.ACCESS_READ)

    async def chunks(self) -> AsyncIterator[bytes]:
        at = 0
        while at < self.length:
            chunk = await asyncio.to_thread(os.pread, self._fd, CHUNK, at)
            if not chunk:
                raise OSError("a file that was put by has got shorter")
            at += len(chunk)
            yield chunk


async def received(request: Request, directory: Path, *, limit: int) -> Spool:
    """The whole body, with never more than a block of it in memory. Raises PayloadTooLarge, before reading where the length is
    declared, and Disconnected."""
    declared = request.header(b"content-length")
    if declared is not None and (not declared.isdigit() or int(declared) > limit):
        raise PayloadTooLarge(f"The upload is larger than {limit} bytes.")
    spool = Spool(directory)
    parts: list[bytes] = []
    held = 0
    more = True
    while more:
        message = await request.receive()
        if message["type"] != "http.request":
            raise Disconnected
        part = bytes(message.get("body", b""))
        parts.append(part)
        held += len(part)
        more = message.get("more_body", False)
        if spool.length + held > limit:
            raise PayloadTooLarge(f"The upload is larger than {limit} bytes.")
        if held >= BLOCK or not more:
            await asyncio.to_thread(spool.write, parts)
            parts, held = [], 0
    return spool
