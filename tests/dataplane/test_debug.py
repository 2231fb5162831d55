"""What could not be read is kept: bounded, for its owner's eyes, under the id of its call and nowhere else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from dataplane import debug
from dataplane.debug import DebugRecords, read

ID = "01a21f66-d47b-740d-b63c-3889792e5df7"


async def kept(records: DebugRecords, request_id: str, raw: bytes) -> None:
    records.keep(request_id, provider="openai/gpt", why="not JSON", raw=raw)
    await records.written()


async def test_a_record_is_read_back_whole(tmp_path: Path) -> None:
    await kept(DebugRecords(tmp_path / "debug"), ID, b"<html>\nno\n")
    head, raw = read(tmp_path / "debug", ID) or ({}, b"")
    assert (head["request_id"], head["provider"], head["why"], head["bytes"]) == (ID, "openai/gpt", "not JSON", 10)
    assert raw == b"<html>\nno\n"


async def test_a_record_is_for_its_owner_alone(tmp_path: Path) -> None:
    await kept(DebugRecords(tmp_path / "debug"), ID, b"x")
    assert stat.S_IMODE((tmp_path / "debug").stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "debug").iterdir()] == [0o600]


async def test_of_a_long_answer_the_last_bytes_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug, "MOST_BYTES", 8)
    await kept(DebugRecords(tmp_path), ID, b"0123456789abcdef")
    assert (read(tmp_path, ID) or ({}, b""))[1] == b"89abcdef"


async def test_only_so_many_records_are_kept_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debug, "MOST_RECORDS", 3)
    records = DebugRecords(tmp_path)
    for number in range(6):
        await kept(records, f"{number:04d}", b"x")
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["0003", "0004", "0005"]


async def test_without_a_directory_nothing_is_kept_and_nothing_fails() -> None:
    await kept(DebugRecords(), ID, b"x")


async def test_a_full_disk_harms_no_call(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "debug").write_text("a file where the directory should be")
    await kept(DebugRecords(tmp_path / "debug"), ID, b"x")
    assert "could not be kept" in caplog.text


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", "", "a/b", "x\x00y"])
def test_a_name_that_is_no_id_finds_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.raw").write_bytes(b"{}\nsecret")
    (tmp_path / "debug").mkdir()
    assert read(tmp_path / "debug", name) is None
