"""The journal on disk: file names, lines, and what a journal says when it is read again.

A journal named N is the files `N.00000001.log`, `N.00000002.log`, … (segments) beside `N.offset` (how far the shipper
got). A line is one JSON object and ends with a newline; what follows the last newline was torn by a crash and never
happened. Every segment starts with the leases held and the intents open at that moment, so that any suffix of the
segments tells the whole present state and the oldest can be deleted as soon as it is shipped.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from dataplane.events import Intent, Lease, UsageEvent
from dataplane.money import to_nano

_NAME = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]*)\.(?P<seq>\d{8})\.log")
SETTLED = b'{"line":"settle"'
"""How a settled leg's line starts: told apart without decoding it."""

ROOM = 64 * 1024
"""Bytes by which a mapped segment grows, at the most."""

READ_SIZE = 256 * 1024
"""Most bytes of one chunk: one database batch, one stream entry."""

_HOLE = re.compile(rb"\0+")
_decoder = msgspec.json.Decoder(Intent | UsageEvent | Lease)


class Position(NamedTuple):
    """A place in a journal: everything before byte `offset` of segment `seq`."""

    seq: int
    offset: int


class Chunk(NamedTuple):
    """Whole lines read from one segment; `lines` are the settled ones among them, without newlines."""

    start: Position
    end: Position
    lines: list[bytes]


class Segment:
    """An own or taken-over file. While `fd` is open, its flock says that somebody answers for it."""

    __slots__ = ("base", "fd", "path", "seq", "size")

    def __init__(self, *, seq: int, path: Path, fd: int, size: int) -> None:
        self.seq, self.path, self.fd, self.size = seq, path, fd, size
        self.base = 0
        """Bytes of the state it starts with."""

    def append(self, data: bytes) -> None:
        """All of it or nothing: a short write (disk full) is taken back. Raises OSError."""
        written = os.write(self.fd, data)
        if written != len(data):
            os.ftruncate(self.fd, self.size)
            raise OSError(28, "no space left for a whole line", str(self.path))
        self.size += written

    def seal(self) -> None:
        """Nothing more will be appended; the lock stays."""

    def delete(self) -> None:
        self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Lets go of the lock; whoever looks next takes the file over."""
        os.close(self.fd)


class MappedSegment(Segment):
    """The segment that a living worker appends to, through a shared mapping.

    A copy into the page cache outlives the process as a write(2) does, but costs neither a system call nor the
    interpreter's lock, which others would take meanwhile: two writes a call were a third of the gateway's own CPU time
    (docs/adr). Room is allocated before it is mapped, so a full disk is an OSError here and never a fault. What follows
    the last line is zeros until the segment is sealed: readers stop at the first zero byte."""

    __slots__ = ("_map", "_room", "_step")

    def __init__(self, *, seq: int, path: Path, fd: int, step: int) -> None:
        super().__init__(seq=seq, path=path, fd=fd, size=0)
        self._map: mmap.mmap | None = None
        self._room = 0
        self._step = step

    def append(self, data: bytes) -> None:
        end = self.size + len(data)
        if end > self._room:
            self._make_room(end)
        assert self._map is not None
        self._map[self.size : end] = data
        self.size = end

    def _make_room(self, need: int) -> None:
        try:
            self._allocate(-(-need // self._step) * self._step)
        except OSError:
            self._allocate(need)

    def _allocate(self, room: int) -> None:
        os.posix_fallocate(self.fd, 0, room)
        if self._map is None:
            self._map = mmap.mmap(self.fd, room)
        else:
            self._map.resize(room)
        self._room = room

    def seal(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None
            self._room = 0
            os.ftruncate(self.fd, self.size)

    def delete(self) -> None:
        if self._map is not None:
            self._map.close()
            self._map = None
        super().delete()

    def release(self) -> None:
        self.seal()
        super().release()


def create(directory: Path, name: str, seq: int, *, state: bytes = b"", step: int = ROOM) -> Segment:
    """A new, locked segment that starts with `state`. It gets its final name at last, so that nobody takes it for a dead
    one's and nobody reads past the segment before it when there is no room for this one. Raises OSError."""
    path = directory / f"{name}.{seq:08d}.log"
    fresh = path.with_suffix(".new")
    fd = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND, 0o600)
    segment = MappedSegment(seq=seq, path=path, fd=fd, step=step)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if state:
            segment.append(state)
        fresh.rename(path)
    except OSError:
        segment.release()
        fresh.unlink(missing_ok=True)
        raise
    segment.base = segment.size
    return segment


def take(path: Path) -> Segment | None:
    """The segment, locked by us, or None when its owner lives or somebody else was faster."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = path.stat().st_ino == os.fstat(fd).st_ino
    except (BlockingIOError, FileNotFoundError):
        same = False
    if not same:
        os.close(fd)
        return None
    return Segment(seq=seq_of(path), path=path, fd=fd, size=os.fstat(fd).st_size)


def seq_of(path: Path) -> int:
    return int(path.name.split(".")[-2])


def journals(directory: Path) -> dict[str, list[Path]]:
    """Every journal in the directory with its segments, oldest first."""
    found: dict[str, list[Path]] = {}
    for path in sorted(directory.iterdir()):
        if match := _NAME.fullmatch(path.name):
            found.setdefault(match["name"], []).append(path)
    return found


def bytes_used(directory: Path, *, but: str) -> int:
    """Bytes of all segments that are not of the journal `but`."""
    total = 0
    with os.scandir(directory) as entries:
        for entry in entries:
            if (match := _NAME.fullmatch(entry.name)) and match["name"] != but:
                try:
                    total += entry.stat().st_size
                except FileNotFoundError:
                    continue
    return total


def read_chunk(path: Path, position: Position) -> Chunk | None:
    """The next whole lines from there on; None when there is no whole line. A line longer than a chunk is read whole."""
    with path.open("rb") as file:
        file.seek(position.offset)
        data = _written(file.read(READ_SIZE))
        while data and b"\n" not in data:
            more = _written(file.read(READ_SIZE))
            if not more:
                return None
            data += more
    end = data.rfind(b"\n") + 1
    if not end:
        return None
    lines = [line for line in data[: end - 1].split(b"\n") if line.startswith(SETTLED)]
    return Chunk(position, Position(position.seq, position.offset + end), lines)


def mend(segment: Segment) -> bool:
    """Makes a dead worker's segment readable to its last line; whether there was anything to mend.

    Pages of a mapping reach the disk in any order, so a machine that lost its power may have left a hole of zeros with
    whole lines behind it. The hole becomes empty lines, which keeps every offset; what it tore is unreadable and counted."""
    data = segment.path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole != segment.size:
        os.ftruncate(segment.fd, whole)
        segment.size = whole
    holes = [match.span() for match in _HOLE.finditer(data, 0, whole)]
    if holes:
        with segment.path.open("r+b") as file:  # the segment's own descriptor only appends
            for start, end in holes:
                file.seek(start)
                file.write(b"\n" * (end - start))
            file.flush()
            os.fdatasync(file.fileno())
    return bool(holes)


def _written(data: bytes) -> bytes:
    """Without the zeros of room that is not used yet."""
    end = data.find(b"\0")
    return data if end < 0 else data[:end]


class Slice:
    """What a worker held of an account and has spent of it since it last stated that. `ref` is the account as it was
    stated, with the epoch of the authority that it was taken in (`name@epoch`)."""

    __slots__ = ("left", "ref", "spent")

    def __init__(self, ref: str, left: int, spent: int = 0) -> None:
        self.ref, self.left, self.spent = ref, left, spent


class Slices(dict[str, Slice]):
    """What a worker holds, by the account's name: a call that was admitted in one epoch of the authority and is settled in
    the next was paid from the slice that followed, not from nothing."""

    def state(self, ref: str, held: int, spent: int = 0) -> None:
        """A lease line: the worker's word on what it holds now."""
        name = ref.partition("@")[0]
        if held or spent:
            self[name] = Slice(ref, held, spent)
        elif (known := self.get(name)) is not None and known.ref == ref:
            del self[name]

    def spend(self, accounts: Iterable[str], cost: str | None) -> None:
        """Charges a settled cost (USD as text) to those of the accounts that are held."""
        if cost is None:
            return
        nano = to_nano(Decimal(cost))
        for account in accounts:
            if (held := self.get(account.partition("@")[0])) is not None:
                held.left -= nano
                held.spent += nano


class Replay:
    """What a journal says: the calls that are open, and what is left of each slice: what the last lease line states less
    the costs settled after it. Open reservations are still in it. Unreadable lines are counted, not hidden."""

    def __init__(self) -> None:
        self.open: dict[str, Intent] = {}
        self.slices = Slices()
        self.unreadable = 0

    def feed(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            try:
                item = _decoder.decode(line)
            except msgspec.MsgspecError:
                self.unreadable += bool(line)
                continue
            if isinstance(item, Intent):
                self.open[item.id] = item
            elif isinstance(item, Lease):
                self.slices.state(item.account, item.held, item.spent)
            elif (intent := self.open.pop(item.id, None)) is not None:
                self.slices.spend(intent.accounts, item.cost)


def replay(paths: Iterable[Path]) -> Replay:
    """Reads the segments, oldest first, without the torn tail of any."""
    state = Replay()
    for path in paths:
        with path.open("rb") as file:
            state.feed(line[:-1] for line in file if line.endswith(b"\n"))
    return state


class Bookmark:
    """`N.offset`: up to where all settled lines of the journal N are confirmed. Losing it only means shipping again."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / f"{name}.offset"
        self._fd: int | None = None

    def load(self) -> Position:
        try:
            seq, offset = self.path.read_text("ascii").split()
            return Position(int(seq), int(offset))
        except (FileNotFoundError, ValueError):
            return Position(0, 0)

    def save(self, position: Position) -> None:
        """One write of fixed length, in place."""
        if self._fd is None:
            self._fd = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
        os.pwrite(self._fd, b"%08d %020d\n" % position, 0)

    def delete(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
