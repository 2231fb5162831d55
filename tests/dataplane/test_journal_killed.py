"""A worker killed with -9 at any moment: what left is settled once, what was settled stays as it was."""

from __future__ import annotations

import secrets
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dataplane.events import UsageEvent
from dataplane.journal import Journal
from dataplane.outlets import SinkOutlet
from dataplane.recovery import Recovery
from dataplane.segments import journals
from dataplane.shipper import Shipper
from tests.dataplane.journaling import an_intent, eventually, settled

ROOT = Path(__file__).parents[2]
ENV = {"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "PATH": "/usr/bin:/bin"}

WORKER = """
import os, sys
from pathlib import Path
from dataplane.journal import Journal
from dataplane.outlets import SinkOutlet
from dataplane.shipper import Shipper
from tests.dataplane.journaling import an_intent, settled
from tests.dataplane.test_journal_killed import Ledger
import asyncio

directory, shipping = Path(sys.argv[1]), sys.argv[2] == "shipping"
journal = Journal(directory / "journal", worker="doomed", segment_bytes=20_000)
if shipping:
    shipper = Shipper(journal, SinkOutlet(Ledger(directory / "ledger.db").record, aside=directory / "aside"), interval=0.01)
    asyncio.run(shipper.start())
left = os.open(directory / "left", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
ended = os.open(directory / "ended", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
journal.lease("b:1", 10**12)
running = []
while True:
    intent = an_intent()
    journal.intent(intent)
    os.write(left, intent.id.encode() + b"\\n")
    running.append(intent)
    if len(running) > 3:
        intent = running.pop(0)
        journal.settle(settled(intent))
        os.write(ended, intent.id.encode() + b"\\n")
"""


class Ledger:
    """Takes each event once, in a transaction, as the real one does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(self.connect()) as db:
            db.execute("CREATE TABLE IF NOT EXISTS entries (id PRIMARY KEY, outcome, cost, deliveries)")
            db.execute("CREATE TABLE IF NOT EXISTS slices (account, kind, amount)")

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=30, isolation_level=None)

    def record(self, events: list[UsageEvent]) -> None:
        with closing(self.connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "INSERT INTO entries VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET deliveries = deliveries + 1",
                [(event.id, event.outcome, event.cost) for event in events],
            )
            db.execute("COMMIT")

    async def health(self) -> bool:
        return True

    async def settle(self, account: str, spent: int) -> None:
        self.book(account, "spent", spent)

    async def give_back(self, account: str, amount: int) -> None:
        self.book(account, "returned", amount)

    def book(self, account: str, kind: str, amount: int) -> None:
        """The authority's side, kept where it survives a kill: what was said of slices."""
        with closing(self.connect()) as db:
            db.execute("INSERT INTO slices VALUES (?, ?, ?)", (account, kind, amount))

    def outcomes(self) -> dict[str, str]:
        with closing(self.connect()) as db:
            return dict(db.execute("SELECT id, outcome FROM entries"))

    def slices(self) -> set[tuple[str, str, int]]:
        with closing(self.connect()) as db:
            rows = db.execute("SELECT account, kind, amount FROM slices").fetchall()
        assert len(rows) == len(set(rows)), "nothing is told twice"
        return set(rows)


async def recover(directory: Path, ledger: Ledger, *, worker: str = "taker") -> None:
    """What a worker does at its start, until everything is where it belongs."""
    journal = Journal(directory / "journal", worker=worker)
    shipper = Shipper(journal, SinkOutlet(ledger.record, aside=directory / "aside"))
    recovery = Recovery(journal.directory, shipper=shipper, authority=ledger)
    await recovery.catch_up()
    await shipper.close()
    journal.close()


def ids(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def kill_after(worker: subprocess.Popen[bytes], directory: Path, calls: int) -> None:
    try:
        eventually(lambda: worker.poll() is not None or len(ids(directory / "left")) >= calls)
        assert worker.poll() is None, "the worker ended by itself"
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


@pytest.fixture(params=["idle", "shipping"])
def killed(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Path, list[str], list[str]]:
    """The remains of a worker that was killed in the middle of its work, at a moment of chance."""
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path), request.param], env=ENV)
    kill_after(worker, tmp_path, 1 + secrets.randbelow(400))
    left, ended = ids(tmp_path / "left"), ids(tmp_path / "ended")
    return tmp_path, left, ended


@pytest.mark.parametrize("round_", range(8))
async def test_nothing_is_lost_or_doubled_when_a_worker_is_killed(killed: tuple[Path, list[str], list[str]], round_: int) -> None:
    directory, left, ended = killed
    ledger = Ledger(directory / "ledger.db")
    await recover(directory, ledger)
    outcomes = ledger.outcomes()
    assert set(left) <= set(outcomes)
    # One call at the most had its intent written and was killed before it could leave.
    assert len(set(outcomes) - set(left)) <= 1
    assert {outcomes[call] for call in ended} <= {"ok"}
    unknown = [call for call, outcome in outcomes.items() if outcome == "unknown"]
    assert len(unknown) <= 4
    assert set(unknown).isdisjoint(ended)
    spent = 900 * len(unknown) + 100 * (len(outcomes) - len(unknown))
    if left:
        assert {(account, kind): amount for account, kind, amount in ledger.slices()} in (
            {("b:1", "spent"): spent, ("b:1", "returned"): 10**12 - spent},
        )
    assert journals(directory / "journal") == {}
    assert not (directory / "aside").exists()


RECOVERING = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.dataplane.test_journal_killed import Ledger, recover

directory, last = Path(sys.argv[1]), int(sys.argv[2])
done = 0

def mortal(call):
    def wrapped(*args, **kwargs):
        global done
        done += 1
        if done == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return wrapped

for name in ("write", "pwrite", "ftruncate", "fdatasync", "unlink"):
    setattr(os, name, mortal(getattr(os, name)))
ledger = Ledger(directory / "ledger.db")
record, book = ledger.record, ledger.book

def record_and_die(events):
    record(events)
    mortal(int)()

def book_and_die(account, kind, amount):
    book(account, kind, amount)
    mortal(int)()

ledger.record, ledger.book = record_and_die, book_and_die
asyncio.run(recover(directory, ledger, worker="mortal"))
"""


def a_dead_workers_journal(directory: Path) -> dict[str, str]:
    """Two segments, three open calls, two accounts, a torn line. Returns how each call must end."""
    journal = Journal(directory / "journal", worker="dead", segment_bytes=4_000)
    journal.lease("b:1", 10_000)
    journal.lease("b:2", 5_000)
    expected = {}
    for number in range(12):
        intent = an_intent(accounts=("b:1", "b:2") if number == 3 else ("b:1",))
        journal.intent(intent)
        expected[intent.id] = "unknown"
        if number % 4:
            journal.settle(settled(intent))
            expected[intent.id] = "ok"
    last = journal.segment(journal.position.seq)
    assert journal.position.seq > 1
    journal.close()
    with last.open("ab") as file:
        file.write(b'{"line":"settle","id":"torn')
    return expected


SLICES = {("b:1", "spent", 9 * 100 + 3 * 900), ("b:1", "returned", 6_400), ("b:2", "spent", 100), ("b:2", "returned", 4_900)}


async def test_a_recovering_worker_may_be_killed_at_every_step(tmp_path: Path) -> None:
    """The ledger is exact whatever happens. A slice is given back once; killed between stating that and doing it, it stays
    taken, for nobody can know then whether it was done."""
    step, short, code = 0, 0, None
    while code != 0:
        step += 1
        assert step < 80
        directory = tmp_path / str(step)
        directory.mkdir()
        expected = a_dead_workers_journal(directory)
        code = subprocess.run([sys.executable, "-c", RECOVERING, str(directory), str(step)], env=ENV, check=False).returncode
        assert code in (0, -signal.SIGKILL)
        ledger = Ledger(directory / "ledger.db")
        await recover(directory, ledger)
        assert ledger.outcomes() == expected, f"killed at step {step}"
        assert ledger.slices() <= SLICES, f"killed at step {step}"
        short += ledger.slices() != SLICES
        assert journals(directory / "journal") == {}, f"killed at step {step}"
    assert ledger.slices() == SLICES
    assert step > 15, "the steps were counted"
    assert short <= 4, "once between the two halves for each account, and before its second half is done"
