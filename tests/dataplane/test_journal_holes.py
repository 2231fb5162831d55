"""A machine that loses its power may leave a hole in a journal: pages of a mapping reach the disk in any order."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataplane.events import UsageEvent
from dataplane.journal import Journal
from dataplane.outlets import SinkOutlet
from dataplane.recovery import Recovery
from dataplane.shipper import Shipper
from tests.dataplane.journaling import an_intent, settled

CALLS = 60
PAGE = 4096


def left_by_a_crash(directory: Path, hole: tuple[int, int]) -> tuple[list[str], list[str]]:
    """A dead worker's journal with zeros at `hole`. Ids of its calls, and of those whose two lines are whole."""
    dead = Journal(directory, worker="dead")
    intents = [an_intent() for _ in range(CALLS)]
    for intent in intents:
        dead.intent(intent)
        dead.settle(settled(intent))
    path = dead.segment(1)
    dead.close()
    data = bytearray(path.read_bytes())
    start, end = hole
    data[start : min(end, len(data))] = bytes(min(end, len(data)) - start)
    path.write_bytes(data)
    return [intent.id for intent in intents], [intent.id for intent in intents if data.count(b'"id":"%s"' % intent.id.encode()) == 2]


@pytest.mark.parametrize("hole", [(0, PAGE), (PAGE, 3 * PAGE), (5 * PAGE + 17, 6 * PAGE)])
async def test_what_stands_behind_a_hole_reaches_the_ledger_and_the_file_goes(hole: tuple[int, int], tmp_path: Path) -> None:
    everything, whole = left_by_a_crash(tmp_path, hole)
    entered: list[UsageEvent] = []
    journal = Journal(tmp_path, worker="alive")
    shipper = Shipper(journal, SinkOutlet(entered.extend, aside=tmp_path / "aside"))

    await Recovery(tmp_path, shipper=shipper, authority=None).catch_up()

    ids = [event.id for event in entered]
    assert len(ids) == len(set(ids))
    assert set(whole) <= set(ids) <= set(everything)
    assert len(whole) > CALLS // 2
    await shipper.close()
    journal.close()
    assert {path.name for path in tmp_path.iterdir()} <= {"aside"}
