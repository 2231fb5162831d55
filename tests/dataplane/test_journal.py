"""What the journal puts on disk, and what it says when it is read again."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.errors import JournalFull
from dataplane.events import Intent
from dataplane.journal import Journal
from dataplane.outlets import SinkOutlet
from dataplane.segments import Position, journals, read_chunk, take
from dataplane.shipper import Source
from tests.dataplane.journaling import an_intent, eventually, read_back, settled


@pytest.fixture
def journal(tmp_path: Path):
    journal = Journal(tmp_path / "journal", worker="w1")
    yield journal
    journal.close()


def held_of(journal: Journal) -> dict[str, tuple[int, int]]:
    """What is left and what is spent of each slice, as the files tell."""
    slices = read_back(journal.directory, journal.name).slices
    return {held.ref: (held.left, held.spent) for held in slices.values()}


def fill(journal: Journal, *, settle: bool) -> list[Intent]:
    """Calls until the journal is full."""
    calls: list[Intent] = []
    for _ in range(1_000):
        intent = an_intent()
        try:
            journal.intent(intent)
        except JournalFull:
            return calls
        calls.append(intent)
        if settle:
            journal.settle(settled(intent))
    raise AssertionError("it takes everything")


def test_an_intent_is_on_disk_when_the_call_returns_and_open_until_it_is_settled(journal: Journal) -> None:
    intent = an_intent()
    journal.intent(intent)
    assert read_back(journal.directory, journal.name).open == {intent.id: intent}

    journal.settle(settled(intent))
    assert read_back(journal.directory, journal.name).open == {}
    chunk = read_chunk(journal.segment(1), Position(1, 0))
    assert chunk is not None
    assert len(chunk.lines) == 1
    assert intent.id.encode() in chunk.lines[0]


def test_a_lease_is_what_was_stated_last_less_the_costs_settled_since(journal: Journal) -> None:
    first, second, other = an_intent(), an_intent(), an_intent(accounts=("b:2",))
    journal.lease("b:1", 5_000)
    for intent in (first, second, other):
        journal.intent(intent)
    journal.settle(settled(first))
    journal.settle(settled(other))
    assert held_of(journal) == {"b:1": (4_900, 100)}

    journal.lease("b:1", 8_000)
    journal.settle(settled(second, cost="0.0000000001"))
    assert held_of(journal) == {"b:1": (7_999, 1)}, "a tenth of a unit counts as one"
    journal.lease("b:1", 0)
    assert held_of(journal) == {}


def test_a_call_settled_in_a_later_epoch_is_charged_to_the_slice_that_followed(journal: Journal) -> None:
    intent = an_intent(accounts=("b:1@old",))
    journal.lease("b:1@old", 5_000)
    journal.intent(intent)
    journal.lease("b:1@old", 0)
    journal.lease("b:1@new", 5_000)
    journal.settle(settled(intent))
    assert held_of(journal) == {"b:1@new": (4_900, 100)}
    journal.lease("b:1@old", 0)
    assert held_of(journal) == {"b:1@new": (4_900, 100)}, "only the slice that is named is given back"


def test_the_file_is_locked_while_its_worker_lives_and_free_afterwards(journal: Journal) -> None:
    path = journal.segment(1)
    journal.intent(an_intent())
    assert take(path) is None
    journal.close()
    segment = take(path)
    assert segment is not None
    segment.release()


def test_a_worker_under_the_same_name_starts_a_journal_of_its_own(tmp_path: Path) -> None:
    one, two = Journal(tmp_path, worker="gateway-1"), Journal(tmp_path, worker="gateway-1")
    try:
        assert sorted(journals(tmp_path)) == sorted((one.name, two.name))
    finally:
        one.close()
        two.close()


@pytest.mark.parametrize("worker", ["", "../up", "a/b", ".hidden", "a b", "x" * 101])
def test_a_worker_name_that_is_no_file_name_is_refused(tmp_path: Path, worker: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Journal(tmp_path, worker=worker)


def test_a_new_segment_starts_with_what_is_open_and_held_so_the_old_one_can_go(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker="w", segment_bytes=4_000)
    long_running = an_intent()
    journal.lease("b:1", 100_000)
    journal.intent(long_running)
    for _ in range(40):
        intent = an_intent()
        journal.intent(intent)
        journal.settle(settled(intent))
    assert journal.position.seq > 3
    whole, before = read_back(tmp_path, journal.name), held_of(journal)

    journal.confirm(Position(journal.position.seq, 0))
    assert [path.name for path in journals(tmp_path)[journal.name]] == [journal.segment(journal.position.seq).name]
    rest = read_back(tmp_path, journal.name)
    assert rest.open == whole.open == {long_running.id: long_running}
    assert held_of(journal) == before == {"b:1": (96_000, 4_000)}
    assert journal.used == journal.position.offset
    journal.close()


def test_a_torn_last_line_never_happened(journal: Journal) -> None:
    intent = an_intent()
    journal.intent(intent)
    with journal.segment(1).open("ab") as file:
        file.write(b'{"line":"settle","id":"' + intent.id.encode())
    assert set(read_back(journal.directory, journal.name).open) == {intent.id}
    chunk = read_chunk(journal.segment(1), Position(1, 0))
    assert chunk is not None
    assert chunk.lines == []


def test_a_full_journal_refuses_the_intent_but_never_the_settlement(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker="w", max_bytes=64 * 1024)
    calls = fill(journal, settle=False)
    assert len(calls) > 5
    with pytest.raises(JournalFull) as refusal:
        journal.intent(an_intent())
    assert refusal.value.status == 503
    for intent in calls:
        journal.settle(settled(intent))
    assert read_back(tmp_path, journal.name).open == {}
    assert sum(path.stat().st_size for path in journals(tmp_path)[journal.name]) <= 64 * 1024
    journal.close()


def test_a_full_journal_takes_calls_again_when_it_is_shipped(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker="w", max_bytes=64 * 1024)
    calls = fill(journal, settle=True)
    got: list[str] = []
    source = Source(tmp_path, journal.name)
    outlet = SinkOutlet(lambda events: got.extend(event.id for event in events), aside=tmp_path / "aside")
    while source.ship(outlet):
        journal.confirm(source.confirmed)
    source.close()
    journal.intent(an_intent())
    assert got == [call.id for call in calls]
    journal.close()


def test_what_other_workers_journals_take_up_counts_too(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker="w", max_bytes=256 * 1024)
    journal.intent(an_intent())
    (tmp_path / "dead-worker.00000001.log").write_bytes(b"x" * 256 * 1024)

    def full() -> bool:
        try:
            journal.intent(an_intent(accounts=()))
        except JournalFull:
            return True
        return False

    eventually(full)
    journal.close()


def test_threads_may_share_a_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker="w", segment_bytes=20_000)
    journal.lease("b:1", 10_000_000)

    def calls() -> None:
        for _ in range(200):
            intent = an_intent()
            journal.intent(intent)
            journal.settle(settled(intent))

    threads = [threading.Thread(target=calls) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = read_back(tmp_path, journal.name)
    assert (state.open, state.unreadable) == ({}, 0)
    assert held_of(journal) == {"b:1": (10_000_000 - 80_000, 80_000)}
    journal.close()


def test_a_journal_that_is_shipped_whole_and_holds_nothing_leaves_no_files(tmp_path: Path) -> None:
    journal = Journal(tmp_path, worker="w")
    intent = an_intent()
    journal.lease("b:1", 1_000)
    journal.intent(intent)
    journal.settle(settled(intent))
    journal.confirm(journal.position)
    journal.lease("b:1", 0)
    journal.close()
    assert list(tmp_path.iterdir()) == []


def test_a_call_that_ends_after_the_journal_was_closed_is_left_to_recovery(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path / "journal", worker="w")
    intent = an_intent()
    journal.intent(intent)
    journal.close()
    other = (tmp_path / "other").open("wb")  # takes the number of the closed file
    journal.settle(settled(intent))
    journal.lease("b:1", 5)
    with pytest.raises(JournalFull):
        journal.intent(an_intent())
    other.close()
    assert (tmp_path / "other").read_bytes() == b""
    assert set(read_back(journal.directory, journal.name).open) == {intent.id}
    assert "the journal is closed" in caplog.text


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from dataplane.errors import JournalFull
from dataplane.events import Intent
from dataplane.journal import Journal
from tests.dataplane.journaling import an_intent, eventually, read_back, settled

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
directory = Path(sys.argv[1])
journal = Journal(directory, worker="w", segment_bytes=4)  # so that room is taken by the byte
journal._segment_bytes = 1 << 20
journal.lease("b:1", 50_000)
calls = [an_intent() for _ in range(4)]
for call in calls:
    journal.intent(call)
size = journal.position.offset
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))  # the disk is full within the next line
for call in calls[:3]:
    journal.settle(settled(call))
journal.lease("b:1", 60_000)
assert journal.position.offset == size, "no part of a line stays behind"
assert len(read_back(directory, journal.name).open) == 4
try:
    journal.intent(an_intent())
except JournalFull:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
eventually(lambda: len(read_back(directory, journal.name).open) == 1)
journal.settle(settled(calls[3]))
state = read_back(directory, journal.name)
print(len(state.open), state.unreadable, state.slices["b:1"].left)
journal.close()
"""


def test_a_full_disk_refuses_new_calls_and_loses_no_settlement(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True, env=env()
    )
    assert done.stdout.splitlines() == ["refused", "0 0 59900"]


def env() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {"PYTHONPATH": f"{root}:{root / 'platform'}", "PATH": "/usr/bin:/bin"}


steps = st.lists(
    st.one_of(
        st.tuples(st.just("lease"), st.integers(0, 10**9)), st.just(("intent", 0)), st.tuples(st.just("settle"), st.integers(0, 10**6))
    )
)


@settings(deadline=None, max_examples=60)
@given(script=steps, kept=st.integers(0, 10))
def test_any_suffix_of_the_segments_tells_the_whole_state(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[str, int]], kept: int
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    journal = Journal(directory, worker="w", segment_bytes=1_500)
    open_calls = []
    held: int | None = None
    for verb, number in script:
        if verb == "lease":
            journal.lease("b:1", number)
            held = number or None
        elif verb == "intent":
            open_calls.append(an_intent())
            journal.intent(open_calls[-1])
        elif open_calls:
            journal.settle(settled(open_calls.pop(0), cost=f"{number}e-9"))
            held = None if held is None else held - number
    journal.confirm(Position(max(1, journal.position.seq - kept), 0))
    state = read_back(directory, journal.name)
    assert list(state.open) == [intent.id for intent in open_calls]
    assert max(0, held_of(journal).get("b:1", (0, 0))[0]) == max(0, held or 0)
    journal.close()
