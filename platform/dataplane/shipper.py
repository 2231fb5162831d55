"""Moves settled calls from the journal to the ledger, at least once; the ledger takes each id once.

Lines go out in the order of the journal through an *outlet*: straight into a sink (one process, with the database) or
onto a Redis stream that the ledger's side drains. What is sent stays on disk until it is *confirmed*, which for the
stream means committed by the ledger: a stream that is lost with its server is sent again.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from dataplane.outlets import WINDOW, Flight, Outlet
from dataplane.segments import Bookmark, Chunk, Position, Segment, journals, read_chunk, seq_of

if TYPE_CHECKING:
    from dataplane.journal import Journal

log = logging.getLogger(__name__)

INTERVAL = 0.2
LONGEST_PAUSE = 5.0
FAREWELL = 2.0
"""Seconds that a closing shipper waits for confirmations, so that a worker that stops leaves no files to take over."""


class Source:
    """One journal on its way out: what is sent, what is confirmed, what is in between."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self._directory = directory
        self._bookmark = Bookmark(directory, name)
        self.confirmed = self.sent = self._bookmark.load()
        self.flights: dict[str, Flight] = {}

    def next_chunks(self) -> list[Chunk]:
        """What may be sent now, oldest first. Moves on over segments that are read to their end."""
        chunks: list[Chunk] = []
        paths = {seq_of(path): path for path in journals(self._directory).get(self.name, ())}
        at = self.sent
        if paths and at.seq < min(paths):
            at = Position(min(paths), 0)
        while at.seq in paths and len(self.flights) + len(chunks) < WINDOW:
            chunk = read_chunk(paths[at.seq], at)
            if chunk is not None:
                at = chunk.end
                if chunk.lines:
                    chunks.append(chunk)
            elif at.seq + 1 in paths:
                at = Position(at.seq + 1, 0)
            else:
                break
        if not chunks:
            self.sent = at
        return chunks

    def ship(self, outlet: Outlet) -> bool:
        """One round: hears what arrived, sends what may go. Whether anything moved. Raises what the outlet raises."""
        moved = self._hear(outlet)
        if chunks := self.next_chunks():
            receipts = outlet.send(self.name, chunks)
            now = time.monotonic()
            for chunk, receipt in zip(chunks, receipts, strict=True):
                self.sent = chunk.end
                if receipt is not None:
                    flight = Flight(chunk, receipt, now)
                    self.flights[flight.tag] = flight
        return self._note() or moved or bool(chunks)

    def _hear(self, outlet: Outlet) -> bool:
        if not self.flights:
            return False
        oldest = next(iter(self.flights.values()))
        done, lost = outlet.confirmed(self.name, oldest)
        for tag in done:
            self.flights.pop(tag, None)
        if lost:
            log.warning("journal %s: the stream lost what was sent; sending again from segment %d", self.name, oldest.chunk.start.seq)
            self.sent = oldest.chunk.start
            self.flights.clear()
        return bool(done) or lost

    def _note(self) -> bool:
        """Writes down how far everything is confirmed."""
        confirmed = next(iter(self.flights.values())).chunk.start if self.flights else self.sent
        if confirmed == self.confirmed:
            return False
        self._bookmark.save(confirmed)
        self.confirmed = confirmed
        return True

    def close(self, *, forget: bool = False) -> None:
        if forget:
            self._bookmark.delete()
        else:
            self._bookmark.close()


class Orphan:
    """A dead worker's journal that we hold the locks of. It may be deleted when it is shipped whole and `released`."""

    def __init__(self, directory: Path, name: str, segments: list[Segment]) -> None:
        self.directory = directory
        self.name = name
        self.segments = segments
        self.released = False

    @property
    def end(self) -> Position:
        last = self.segments[-1]
        return Position(last.seq, last.size)

    def delete(self) -> None:
        """Oldest first: what is left if we die in between is a suffix, and a suffix tells the whole state."""
        for segment in self.segments:
            segment.delete()


class Shipper:
    """A thread that ships this worker's journal and the orphans it adopts, every `interval` seconds and, while the other
    side can't be reached, with growing pauses. Conforms to `kit.Background`."""

    def __init__(self, journal: Journal, outlet: Outlet, *, interval: float = INTERVAL) -> None:
        self._journal = journal
        self._outlet = outlet
        self._interval = interval
        self._own = Source(journal.directory, journal.name)
        self._orphans: list[tuple[Orphan, Source]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.failures = 0
        """Rounds in a row in which the other side could not be reached."""

    async def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=f"shipper-{self._journal.name}", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Ships what can be shipped in one last round. What is not confirmed by then stays on disk for the next worker."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        await asyncio.to_thread(self._last_rounds)

    def adopt(self, orphan: Orphan) -> None:
        """From now on this shipper answers for the orphan's lines and, at last, for its deletion."""
        with self._lock:
            self._orphans.append((orphan, Source(orphan.directory, orphan.name)))

    @property
    def lag(self) -> int:
        """Bytes of this worker's journal that are not confirmed yet."""
        done = self._own.confirmed
        return self._journal.used - (done.offset if done.seq == self._journal.oldest else 0)

    def ship(self) -> bool:
        """One round over all journals. Whether anything moved. Raises what the outlet raises."""
        with self._lock:
            moved = False
            if self._own.flights or self._own.sent != self._journal.position:
                moved = self._own.ship(self._outlet)
                self._journal.confirm(self._own.confirmed)
            for orphan, source in list(self._orphans):
                moved |= source.ship(self._outlet)
                if orphan.released and not source.flights and source.confirmed >= orphan.end:
                    orphan.delete()
                    source.close(forget=True)
                    self._orphans.remove((orphan, source))
            return moved

    def _run(self) -> None:
        pause = self._interval
        while not self._stopping.wait(pause):
            pause = self._interval if self._try() else min(LONGEST_PAUSE, self._interval * 2 ** min(self.failures, 10))
            pause *= random.uniform(0.8, 1.0)  # noqa: S311 - spreads the workers' retries, nothing secret

    def _try(self) -> bool:
        try:
            self.ship()
        except Exception as error:  # noqa: BLE001 - whatever a sink or a client raises, the lines are on disk and wait
            self.failures += 1
            log.warning("usage can not be shipped (%d times in a row): %s: %s", self.failures, type(error).__name__, error)
            return False
        self.failures = 0
        return True

    def _last_rounds(self) -> None:
        deadline = time.monotonic() + FAREWELL
        while self._try() and self._unconfirmed() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._own.close()
        for orphan, source in self._orphans:
            source.close()
            for segment in orphan.segments:
                segment.release()

    def _unconfirmed(self) -> bool:
        return bool(self._own.flights) or self._own.sent != self._journal.position
