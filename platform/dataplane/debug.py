"""What an upstream sent when it could not be read: the raw bytes, bounded, for whoever has to find out why.

A record may hold a caller's content, so it is kept for its owner's eyes only (mode 0600, in the house's home), never logged
and never answered. `manage.py debug_record <request id>` prints one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from pathlib import Path

log = logging.getLogger("customhouse.debug")

MOST_RECORDS = 200
MOST_BYTES = 256 * 1024
"""Of one record: its last bytes, which hold the place where reading stopped."""

SUFFIX = ".raw"


class DebugRecords:
    """The last records of this home. Without a directory nothing is kept."""

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory
        self._writing: set[asyncio.Task[None]] = set()

    def keep(self, request_id: str, *, provider: str, why: str, raw: bytes) -> None:
        """Returns at once; the file is written beside the calls."""
        if self.directory is None:
            return
        head = {"request_id": request_id, "at": time.time(), "provider": provider, "why": why, "bytes": len(raw)}
        task = asyncio.create_task(asyncio.to_thread(self._write, request_id, head, raw[-MOST_BYTES:]))
        self._writing.add(task)
        task.add_done_callback(self._written)

    async def written(self) -> None:
        """Waits for what is being written."""
        if self._writing:
            await asyncio.wait(self._writing)

    def _written(self, task: asyncio.Task[None]) -> None:
        self._writing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a debug record could not be kept: %s", error)

    def _write(self, request_id: str, head: dict[str, object], raw: bytes) -> None:
        assert self.directory is not None
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.directory / f"{request_id}{SUFFIX}"
        part = path.with_suffix(".part")  # whoever looks meanwhile finds a whole record or none
        descriptor = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps(head).encode() + b"\n" + raw)
        part.replace(path)
        records = sorted(self.directory.glob(f"*{SUFFIX}"), key=lambda one: one.name)  # ids rise with time
        for old in records[:-MOST_RECORDS]:
            old.unlink(missing_ok=True)


def read(directory: Path, request_id: str) -> tuple[dict[str, object], bytes] | None:
    """Head and raw bytes of a record, None when there is none. Only the name of a record is looked for, never a path."""
    if not request_id.replace("-", "").isalnum():
        return None
    path = directory / f"{request_id}{SUFFIX}"
    if not path.is_file():
        return None
    head, _, raw = path.read_bytes().partition(b"\n")
    return json.loads(head), raw
