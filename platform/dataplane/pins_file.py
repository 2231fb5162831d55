"""Pins of a house of one process: an append-only file of JSON lines, read at the start and written anew when it has grown.

A line is `{"id": …, "pin": {…}}`, or without a pin when the id is gone; the last line of an id counts. A torn line at the end
is what a crash leaves and is passed over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from dataplane.pins import KEPT_SECONDS, MOST, Pin

log = logging.getLogger("customhouse.pins")

MOST_WAITING = 50_000
"""Lines kept in memory while the disk takes none."""

RETRY_SECONDS = 1.0
FAREWELL = 2.0


class Line(msgspec.Struct, omit_defaults=True):
    id: str
    pin: Pin | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Line).decode


class FileShelf:
    """`most` bounds what is kept: the file is written anew when it has twice as many lines. All that is in it is in memory, so
    it is read at the start and never again."""

    shared = False

    def __init__(self, path: Path, *, most: int = MOST) -> None:
        self.correct: Callable[[str, Pin], None] = lambda ident, pin: None
        self._path = path
        self._most = most
        self._waiting: list[bytes] = []
        self._lines = 0
        self._writer: asyncio.Task[None] | None = None

    async def start(self) -> Iterable[tuple[str, Pin]]:
        return await asyncio.to_thread(self._load)

    def put(self, ident: str, pin: Pin, *, fresh: bool) -> None:
        self._append(Line(ident, pin))

    def drop(self, ident: str) -> None:
        self._append(Line(ident))

    async def get(self, ids: Sequence[str]) -> list[Pin | None]:
        return [None] * len(ids)

    async def open_ids(self) -> list[str]:
        return []

    async def claim(self, name: str, seconds: int) -> bool:
        return True

    async def release(self, name: str) -> None:
        return None

    async def close(self) -> None:
        writer = self._writer
        if writer is not None and not writer.done():
            await asyncio.wait({writer}, timeout=FAREWELL)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
        if self._waiting:
            log.error("%d pins could not be written to %s and are lost", len(self._waiting), self._path)

    def _append(self, line: Line) -> None:
        self._waiting.append(_encode(line) + b"\n")
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[: MOST_WAITING // 10]
            log.error("pins can not be written to %s; the oldest that wait are given up", self._path)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_all())

    def _taken(self) -> list[bytes]:
        lines, self._waiting = self._waiting, []
        return lines

    async def _write_all(self) -> None:
        while self._waiting:
            lines = self._taken()
            try:
                await asyncio.to_thread(self._write, lines)
            except OSError as error:
                log.error("pins can not be written to %s: %s", self._path, error)
                self._waiting = [*lines, *self._waiting]
                await asyncio.sleep(RETRY_SECONDS)

    def _write(self, lines: list[bytes]) -> None:
        if self._lines > 2 * self._most:
            self._compact()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(b"".join(lines))
            file.flush()
            os.fdatasync(file.fileno())
        self._lines += len(lines)

    def _load(self) -> list[tuple[str, Pin]]:
        kept = self._read()
        if self._lines > len(kept):
            self._rewrite(kept)
        return list(kept.items())

    def _compact(self) -> None:
        self._rewrite(self._read())

    def _read(self) -> dict[str, Pin]:
        """The pins that are still good, in the order they were last written."""
        kept: dict[str, Pin] = {}
        self._lines = 0
        oldest = time.time() - KEPT_SECONDS
        for line in self._read_lines():
            kept.pop(line.id, None)
            if line.pin is not None and (line.pin.at >= oldest or line.pin.open):
                kept[line.id] = line.pin
        spare = len(kept) - self._most
        if spare > 0:
            closed = [ident for ident, pin in kept.items() if not pin.open]
            for ident in closed[:spare]:
                del kept[ident]
        return kept

    def _read_lines(self) -> Iterator[Line]:
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            return
        with file:
            for text in file:
                self._lines += 1
                try:
                    yield _decode(text)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    log.warning("a line of %s can not be read and is passed over", self._path)

    def _rewrite(self, kept: dict[str, Pin]) -> None:
        draft = self._path.with_suffix(f".{os.getpid()}.tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for ident, pin in kept.items():
                file.write(_encode(Line(ident, pin)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        self._lines = len(kept)
