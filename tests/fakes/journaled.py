"""What a house wrote down, read back from its journal's files: the lines themselves, not what the code meant to write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dataplane.events import Intent, Lease, UsageEvent
from dataplane.journal import Journal

WAIT_LIMIT = 10.0
Line = Intent | UsageEvent | Lease
_decode = msgspec.json.Decoder(Line).decode


def counted(event: UsageEvent) -> dict[str, int]:
    """What was used, without the zeros."""
    return {meter: count for meter, count in event.usage.items() if count}


def lines_of(directory: Path) -> list[Line]:
    """Every whole line of every journal in a directory, of one process or another."""
    return [_decode(line) for path in sorted(directory.glob("*.log")) for line in path.read_bytes().split(b"\n")[:-1]]


class TappedJournal(Journal):
    """A journal that tells a test when a call is settled, so that no test polls for it."""

    def __init__(self, directory: Path, *, worker: str, max_bytes: int = 1 << 28) -> None:
        self.changed = threading.Condition()
        self.settlements = 0
        super().__init__(directory, worker=worker, max_bytes=max_bytes)

    def settle(self, event: UsageEvent) -> None:
        super().settle(event)
        with self.changed:
            self.settlements += 1
            self.changed.notify_all()


class Reading:
    """Follows one journal: each line is handed out once, in the order it was written."""

    def __init__(self, journal: TappedJournal) -> None:
        self._journal = journal
        self._seen: dict[Path, int] = {}
        self._settled: list[UsageEvent] = []
        self.intents: dict[str, Intent] = {}
        """Every leg that ever left, by its id."""
        self._open: dict[str, Intent] = {}
        self._taken = 0

    def lines(self) -> Iterator[Line]:
        for path in sorted(self._journal.directory.glob(f"{self._journal.name}.*.log")):
            with path.open("rb") as file:
                file.seek(self._seen.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._seen[path] = self._seen.get(path, 0) + len(whole)
            yield from map(_decode, whole.splitlines())

    def take_settled(self, count: int) -> list[UsageEvent]:
        """The next `count` settled legs; fails when there are none of them in time, or more."""
        self._taken += count
        with self._journal.changed:
            if not self._journal.changed.wait_for(lambda: self._journal.settlements >= self._taken, WAIT_LIMIT):
                raise TimeoutError(f"{self._journal.settlements} legs are settled, not {self._taken}")
        self._read()
        if len(self._settled) != count:
            raise AssertionError(f"{count} settled legs were expected, these stand: {self._settled}")
        taken, self._settled = self._settled, []
        return taken

    def open_intents(self) -> list[Intent]:
        """Legs that left and are not settled."""
        self._read()
        return list(self._open.values())

    def untaken(self) -> list[Line]:
        """Every leg that is written and was not taken, settled or not."""
        self._read()
        return [*self._open.values(), *self._settled]

    def _read(self) -> None:
        for line in self.lines():
            if isinstance(line, UsageEvent):
                del self._open[line.id]
                self._settled.append(line)
            elif isinstance(line, Intent):
                self._open[line.id] = self.intents[line.id] = line
