"""Parts that fail at their start or at their end hold up no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataplane.authority import LocalAuthority
from dataplane.journal import Journal
from dataplane.kit import Background, Kit
from dataplane.limits import Limits
from dataplane.sealing import Sealer
from dataplane.snapshot import Section, TeamSection, encode
from dataplane.store import Store


class Part:
    """Fails the first `failing` times it is started, and at its end if `ends` is False."""

    def __init__(self, said: list[str], name: str, *, failing: int = 0, ends: bool = True) -> None:
        self.said, self.name, self.failing, self.ends = said, name, failing, ends

    async def start(self) -> None:
        if self.failing:
            self.failing -= 1
            raise ConnectionError(f"{self.name} is away")
        self.said.append(f"{self.name} began")

    async def close(self) -> None:
        self.said.append(f"{self.name} ended")
        if not self.ends:
            raise ConnectionError(f"{self.name} is away")


def kit_of(home: Path, *parts: Background) -> Kit:
    journal = Journal(home / "journal", worker="w")
    limits = Limits(LocalAuthority(), on_lease=journal.lease)
    store = Store(path=home / "snapshot.msgpack")
    return Kit(pepper=b"p" * 32, sealer=Sealer(b"s" * 32), store=store, limits=limits, journal=journal, background=parts)


async def test_a_start_that_failed_is_gone_on_with_and_no_part_begins_twice(tmp_path: Path) -> None:
    said: list[str] = []
    kit = kit_of(tmp_path, Part(said, "a"), Part(said, "b", failing=2), Part(said, "c"))
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await kit.start()
        assert not kit.started
    await kit.start()
    assert said == ["a began", "b began", "c began"]
    await kit.close()
    assert said[3:] == ["c ended", "b ended", "a ended"]


async def test_a_house_that_could_not_start_ends_only_what_had_begun(tmp_path: Path) -> None:
    said: list[str] = []
    kit = kit_of(tmp_path, Part(said, "a"), Part(said, "b", failing=1))
    with pytest.raises(ConnectionError):
        await kit.start()
    await kit.close()
    assert said == ["a began", "a ended"]


async def test_a_part_that_can_not_end_keeps_the_journal_from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    kit = kit_of(tmp_path, Part(said, "a"), Part(said, "b", ends=False))
    await kit.start()
    kit.store.apply([Section(name="teams", version=1, body=encode(TeamSection()))])

    def full() -> bool:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(kit.store, "save", full)
    await kit.close()
    assert said[2:] == ["b ended", "a ended"]
    assert list((tmp_path / "journal").iterdir()) == []
