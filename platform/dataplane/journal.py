"""The journal: a call is written down before it leaves and when it is settled, so that no crash loses or doubles it.

One journal per worker process, made of segment files that it holds a flock on while it lives (`segments` says how they
look). A line is in the page cache when the call returns, which outlives the process; a thread syncs the file in groups,
at the most `SYNC_EVERY` seconds later, which outlives the machine. Threads may share a journal.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
import secrets
import threading
from pathlib import Path

import msgspec

from dataplane.errors import JournalFull
from dataplane.events import Intent, Lease, UsageEvent
from dataplane.segments import ROOM, Bookmark, Position, Segment, Slices, bytes_used, create

log = logging.getLogger(__name__)

MAX_BYTES = 1 << 30
SEGMENT_BYTES = 8 << 20
SYNC_EVERY = 0.05
SETTLE_ROOM = 4096
"""Kept free for every open call: its settled line, and its intent once more when a segment is begun."""

LOOK_AROUND_EVERY = 20
"""Syncs between two looks at what other workers' journals take up: once a second."""

_WORKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_encode = msgspec.json.Encoder().encode


class Journal:
    """Opens segments of its own in `directory`. `max_bytes` bounds all journals there together: what others write is
    known with a second's delay, what this one writes at once.

    `name` is `worker` with a random tail: a worker that comes back under its old name is another journal."""

    def __init__(self, directory: Path, *, worker: str, max_bytes: int = MAX_BYTES, segment_bytes: int = SEGMENT_BYTES) -> None:
        if not _WORKER.fullmatch(worker):
            raise ValueError(f"a worker's name is letters, digits, '_', '.' and '-', not {worker!r}")
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self.name = f"{worker}-{secrets.token_hex(6)}"
        self._max = max_bytes
        self._segment_bytes = min(segment_bytes, max_bytes // 8)
        self._step = max(1, min(ROOM, self._segment_bytes // 4))
        self._lock = threading.Lock()
        self._open: dict[str, tuple[bytes, tuple[str, ...]]] = {}
        self._held = Slices()
        self._spent: list[tuple[tuple[str, ...], str]] = []
        self._late: dict[str, bytes] = {}
        self._broken = ""
        self._own = 0
        self._elsewhere = bytes_used(directory, but=self.name)
        self._segments = [create(directory, self.name, 1, step=self._step)]
        self._current = self._segments[0]
        self._synced = self._confirmed = Position(0, 0)
        self._last_settled: tuple[int, int] = Position(0, 0)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._sync_forever, name=f"journal-{self.name}", daemon=True)
        self._thread.start()

    def intent(self, intent: Intent) -> None:
        """Writes down that a call is about to leave. Raises JournalFull, and then it must not leave."""
        line = _encode(intent) + b"\n"
        with self._lock:
            if self._own + self._elsewhere + self._step + len(line) + SETTLE_ROOM * (len(self._open) + 1) > self._max:
                raise JournalFull("The journal is full: usage can not be written down until some of it is shipped.")
            if self._broken:
                raise JournalFull(f"The journal can not be written: {self._broken}.")
            try:
                self._append(line)
            except OSError as error:
                raise JournalFull(f"The journal can not be written: {error.strerror}.") from error
            self._open[intent.id] = (line, intent.accounts)

    def settle(self, event: UsageEvent) -> None:
        """Writes down how a call ended. Never refuses: what the disk does not take now is written when it does."""
        line = _encode(event) + b"\n"
        with self._lock:
            if self._write(event.id, line):
                self._settled(event.id, event.cost)
                current = self._current
                self._last_settled = (current.seq, current.size)

    def lease(self, account: str, held: int) -> None:
        """States what this worker holds of an account now, open reservations included; 0 when it is given back.

        Call it in one go with the change it states: a call is settled here and in the lease before the next await."""
        line = _encode(Lease(account=account, held=held)) + b"\n"
        with self._lock:
            self._count_spent()
            self._held.state(account, held)
            self._write(f"lease {account}", line)

    @property
    def position(self) -> Position:
        """Where the next line goes."""
        current = self._current
        return Position(current.seq, current.size)

    @property
    def used(self) -> int:
        """Bytes of this journal's segments."""
        return self._own

    @property
    def open_calls(self) -> int:
        return len(self._open)

    def segment(self, seq: int) -> Path:
        return self.directory / f"{self.name}.{seq:08d}.log"

    @property
    def oldest(self) -> int:
        """Sequence number of the oldest segment that still exists."""
        return self._segments[0].seq

    def confirm(self, position: Position) -> None:
        """All settled lines before `position` are where they belong. Deletes the segments before its segment: the state
        they tell of is told again by later ones."""
        with self._lock:
            self._confirmed = position
            gone = [segment for segment in self._segments if segment.seq < min(position.seq, self._current.seq)]
            self._segments = self._segments[len(gone) :]
            for segment in gone:
                self._own -= segment.size
                segment.delete()

    def close(self) -> None:
        """Syncs and lets go. When all that was settled is confirmed and nothing is open or held, nothing is left behind
        on disk; otherwise any worker that looks takes the files over. Idempotent."""
        self._closing.set()
        self._thread.join()
        with self._lock:
            done = self._confirmed >= self._last_settled and not (self._open or self._held or self._late)
            for segment in self._segments:
                if done:
                    segment.delete()
                else:
                    segment.release()
            if done:
                Bookmark(self.directory, self.name).delete()
            self._segments = []

    def _write(self, name: str, line: bytes) -> bool:
        """Appends a line that may not be refused. False: it waits in memory, and so do all that follow it, because a
        lease must not change places with the costs before it."""
        try:
            if not self._late or self._write_late():
                self._append(line)
                return True
        except OSError as error:
            log.error("journal %s: lines are kept in memory: %s", self.name, error)
        self._late.pop(name, None)
        self._late[name] = line
        return False

    def _append(self, line: bytes) -> None:
        if not self._segments:
            raise OSError(errno.EBADF, "the journal is closed")  # its file's number may be another file's by now
        current = self._current
        if current.size + len(line) > current.base + self._segment_bytes:
            current = self._begin_segment()
        current.append(line)
        self._own += len(line)

    def _begin_segment(self) -> Segment:
        """A new segment that starts with the present state; the current one goes on when the disk has no room for it."""
        self._count_spent()
        leases = [_encode(Lease(account=held.ref, held=held.left, spent=held.spent)) + b"\n" for held in self._held.values()]
        state = b"".join([*leases, *(line for line, _ in self._open.values())])
        try:
            segment = create(self.directory, self.name, self._current.seq + 1, state=state, step=self._step)
        except OSError as error:
            log.error("journal %s: no new segment: %s", self.name, error)
            return self._current
        self._current.seal()
        self._own += segment.size
        self._segments.append(segment)
        self._current = segment
        return segment

    def _settled(self, call: str, cost: str | None) -> None:
        opened = self._open.pop(call, None)
        if opened is not None and opened[1] and cost is not None:
            self._spent.append((opened[1], cost))
            if len(self._spent) >= 10_000:
                self._count_spent()

    def _count_spent(self) -> None:
        """Brings the leases up to date. Put off until somebody asks: on every call it would be decimal arithmetic."""
        for accounts, cost in self._spent:
            self._held.spend(accounts, cost)
        self._spent.clear()

    def _sync_forever(self) -> None:
        rounds = 0
        while not self._closing.wait(SYNC_EVERY):
            rounds += 1
            self._sync()
            if rounds % LOOK_AROUND_EVERY == 0:
                self._elsewhere = bytes_used(self.directory, but=self.name)
        self._sync()

    def _sync(self) -> None:
        """One round of the group sync: late lines first, then every segment written since the last round."""
        if self._late:
            with self._lock:
                self._write_late()
        reached = self.position
        if reached == self._synced:
            return
        with self._lock:
            # A duplicate: `confirm` may close the original meanwhile, and its number be given to another file. It is
            # of the same open file, so closing it does not let go of the lock.
            behind = [fcntl.fcntl(segment.fd, fcntl.F_DUPFD_CLOEXEC, 0) for segment in self._segments if segment.seq >= self._synced.seq]
        try:
            for fd in behind:
                os.fdatasync(fd)
            if reached.seq != self._synced.seq:
                self._sync_directory()
            self._synced, self._broken = reached, ""
        except OSError as error:
            log.error("journal %s: sync failed: %s", self.name, error)
            self._broken = error.strerror or str(error)
        finally:
            for fd in behind:
                os.close(fd)

    def _sync_directory(self) -> None:
        fd = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _write_late(self) -> bool:
        """Whether all that waited is written now."""
        for name, line in list(self._late.items()):
            try:
                self._append(line)
            except OSError:
                return False
            del self._late[name]
            if name in self._open:
                self._settled(name, msgspec.json.decode(line, type=UsageEvent).cost)
            self._last_settled = self.position
        return True
