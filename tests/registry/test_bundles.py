"""What a skill's folder or archive may hold, and that everything else is refused by name."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.errors import BundleRefused
from registry.skills import bundle as limits
from registry.skills.archives import read_archive
from registry.skills.folders import read_folder
from registry.skills.loading import load
from registry.skills.paths import clean_path
from tests.registry.archives import SKILL, make_tar, make_zip, tar_link, zip_entry

CLIMBING = ["../evil", "a/../../evil", "..", "scripts/..", "a\\..\\..\\evil", "./../evil"]
ABSOLUTE = ["/etc/passwd", "C:/Windows/x", "c:x", "//host/share"]
ODD = [
    "a//b",
    "a/./b",
    "a\\b",
    "a\nb",
    "a\x7fb",
    "con",
    "scripts/NUL.txt",
    "trailing.",
    "trailing ",
    "a/ b",
    "what?",
    "a*b",
    "a\u202eb",
    "a\u200bb",
]


def refused(stream: io.BytesIO) -> str:
    with pytest.raises(BundleRefused) as caught:
        read_archive(stream).close()
    return str(caught.value)


@pytest.mark.parametrize("name", CLIMBING + ABSOLUTE + ODD)
@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_a_path_that_is_not_plain_is_refused_and_named(name: str, pack: str) -> None:
    if pack == "zip":
        archive = make_zip([("SKILL.md", SKILL), (zip_entry(name), b"x")])
    else:
        archive = make_tar([("SKILL.md", SKILL), (name, b"x")])
    assert repr(name)[1:-1].rstrip("/") in refused(archive)


def test_a_nul_byte_in_a_name_is_refused_and_not_cut_off() -> None:
    assert "NUL" in refused(make_zip([("SKILL.md", SKILL), (zip_entry("scripts/a.sh\x00.txt"), b"x")]))


def test_a_name_that_is_not_utf8_is_refused() -> None:
    archive = make_tar([("SKILL.md", SKILL), ("b\udcffd", b"x")])
    assert "UTF-8" in refused(archive)


@pytest.mark.parametrize("mode", [0o120777, 0o060644, 0o010644, 0o140644, 0o020644])
def test_a_link_or_device_in_a_zip_is_refused(mode: int) -> None:
    archive = make_zip([("SKILL.md", SKILL), (zip_entry("scripts/a", mode=mode), b"/etc/passwd")])
    assert refused(archive) == "'scripts/a': is a link or a device, not a file"


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_a_link_or_device_in_a_tar_is_refused(kind: bytes) -> None:
    assert refused(make_tar([("SKILL.md", SKILL), tar_link("scripts/a", "SKILL.md", kind=kind)])).startswith("'scripts/a': ")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("scripts/Run.sh", "scripts/run.sh"),
        ("Scripts/a", "scripts/b"),
        ("caf\u00e9.md", "cafe\u0301.md"),
        ("stra\u00dfe", "STRASSE"),
        ("\ufb01le", "file"),
        ("a", "a/b"),
        ("a/b", "a"),
    ],
)
@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_two_names_that_some_file_system_takes_for_one_are_refused(first: str, second: str, pack: str) -> None:
    files = [("SKILL.md", SKILL), (first, b"1"), (second, b"2")]
    message = refused(make_zip(files) if pack == "zip" else make_tar(files))
    assert message.startswith(tuple(repr(name) for name in (first, second, first.partition("/")[0], second.partition("/")[0])))


def test_an_entry_that_is_in_it_twice_is_refused() -> None:
    assert refused(make_tar([("SKILL.md", SKILL), ("a", b"1"), ("a", b"2")])) == "'a': is in it twice"


def noise(size: int) -> bytes:
    return hashlib.shake_256(b"noise").digest(size)


@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_a_file_above_ten_mebibytes_is_refused_and_one_of_ten_is_taken(pack: str) -> None:
    pack_it = make_zip if pack == "zip" else make_tar
    with read_archive(pack_it([("SKILL.md", SKILL), ("data", noise(limits.MAX_FILE))])) as taken:
        assert taken.get("data").size == limits.MAX_FILE  # type: ignore[union-attr]
    assert refused(pack_it([("SKILL.md", SKILL), ("data", noise(limits.MAX_FILE + 1))])) == "'data': is larger than 10 MiB"


def test_the_sum_of_the_files_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert limits.MAX_TOTAL == 100 * 1024 * 1024
    monkeypatch.setattr(limits, "MAX_TOTAL", 3 * limits.MIB)
    files = [("SKILL.md", SKILL), *((f"{number}", noise(limits.MIB)) for number in range(3))]
    assert refused(make_tar(files)) == "'2': brings the skill above 3 MiB"


@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_two_thousand_files_are_taken_and_one_more_is_refused(pack: str) -> None:
    files = [("SKILL.md", SKILL), *((f"references/{number}.md", noise(200)) for number in range(limits.MAX_FILES - 1))]
    pack_it = make_zip if pack == "zip" else make_tar
    with read_archive(pack_it(files)) as taken:
        assert len(taken) == limits.MAX_FILES
    assert "'one-more': is one file too many" in refused(pack_it([*files, ("one-more", b"")]))


def test_a_tar_of_countless_folders_is_refused() -> None:
    folders = []
    for number in range(2 * limits.MAX_FILES + 2):
        info = tarfile.TarInfo(f"d{number}")
        info.type = tarfile.DIRTYPE
        folders.append(info)
    assert "one entry too many" in refused(make_tar([("SKILL.md", SKILL), *folders]))


def test_a_zip_that_lists_countless_entries_is_refused_before_they_are_read() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{'d' * 180}{number}", b"")
    assert refused(out) == "the archive lists too many entries: a skill has at most 2,000 files"


@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_a_bomb_is_refused_by_its_ratio_and_the_entry_is_named(pack: str) -> None:
    files = [("SKILL.md", SKILL), ("zeros", bytes(5 * limits.MIB))]
    message = refused(make_zip(files) if pack == "zip" else make_tar(files))
    assert message.startswith("'zeros': unpacks to more than 100 times")


def test_a_bomb_hidden_beside_honest_weight_in_a_zip_is_refused() -> None:
    message = refused(make_zip([("SKILL.md", SKILL), ("weight", noise(limits.MIB)), ("zeros", bytes(5 * limits.MIB))]))
    assert message == "'zeros': unpacks to more than 100 times its packed size"


def test_a_tar_whose_header_is_the_bomb_is_refused() -> None:
    info = tarfile.TarInfo("a")
    info.pax_headers = {"comment": "x" * 30 * limits.MIB}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    assert "unpacks to more than" in refused(out)


def test_a_zip_that_lies_about_a_size_is_refused() -> None:
    raw = bytearray(make_zip([("SKILL.md", SKILL), ("data", noise(5000))]).getvalue())
    at = raw.rfind(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (100).to_bytes(4, "little")
    assert refused(io.BytesIO(bytes(raw))).startswith("'data': the archive is damaged")


def test_an_encrypted_entry_is_refused() -> None:
    raw = bytearray(make_zip([("SKILL.md", SKILL)]).getvalue())
    raw[raw.rfind(b"PK\x01\x02") + 8] |= 1
    raw[6] |= 1
    assert refused(io.BytesIO(bytes(raw))) == "'SKILL.md': is encrypted"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"hello",
        b"PK\x05\x06" + bytes(18),
        b"PK\x03\x04" + bytes(40),
        b"\x1f\x8b",
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + b"\xff" * 50,
        make_tar([("SKILL.md", SKILL)]).getvalue()[:80],
        make_zip([("SKILL.md", SKILL)]).getvalue()[:-30],
    ],
    ids=["empty", "text", "zip-end", "zip-head", "gzip-magic", "gzip-noise", "half-a-tar", "half-a-zip"],
)
def test_what_is_no_archive_or_half_of_one_is_refused(raw: bytes) -> None:
    assert refused(io.BytesIO(raw))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["zip", "tar"]), st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_archive_is_read_or_refused_but_never_breaks_the_reader(pack: str, hits: list[tuple[int, int]]) -> None:
    files = [("SKILL.md", SKILL), ("scripts/a.py", b"print(1)\n" * 20)]
    raw = bytearray((make_zip(files) if pack == "zip" else make_tar(files)).getvalue())
    for at, value in hits:
        raw[at % len(raw)] = value
    with suppress(BundleRefused), read_archive(io.BytesIO(bytes(raw))) as bundle:
        assert bundle.total <= len(raw) * limits.MAX_RATIO


@settings(max_examples=300)
@given(st.text(max_size=40))
def test_a_path_that_is_taken_stays_inside_any_root(written: str) -> None:
    try:
        path = clean_path(written)
    except BundleRefused:
        return
    root = Path("/srv/root")
    assert os.path.commonpath([root, os.path.normpath(root / path)]) == str(root)
    assert os.path.normpath(root / path) != str(root)


def test_a_folder_is_read_with_its_modes_and_without_what_tools_leave_about(tmp_path: Path) -> None:
    skill = tmp_path / "pdf"
    (skill / "scripts").mkdir(parents=True)
    (skill / ".git").mkdir()
    (skill / "SKILL.md").write_bytes(SKILL)
    (skill / "scripts" / "run.sh").write_bytes(b"#!/bin/sh\n")
    (skill / "scripts" / "run.sh").chmod(0o755)
    (skill / ".git" / "config").write_bytes(b"x")
    (skill / ".DS_Store").write_bytes(b"x")
    with read_folder(skill) as bundle:
        assert [(file.path, file.executable) for file in bundle] == [("SKILL.md", False), ("scripts/run.sh", True)]
        assert bundle.skipped == [".DS_Store", ".git"]
        assert bundle.folder_name == "pdf"


def test_a_link_in_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "SKILL.md").write_bytes(SKILL)
    (tmp_path / "secret").symlink_to("/etc/passwd")
    with pytest.raises(BundleRefused, match=r"'secret': is a link"):
        read_folder(tmp_path)


def test_a_linked_folder_a_hard_link_and_a_pipe_are_refused(tmp_path: Path) -> None:
    for number, make in enumerate(
        (
            lambda root: (root / "x").symlink_to("/etc", target_is_directory=True),
            lambda root: os.link(root / "SKILL.md", root / "x"),
            lambda root: os.mkfifo(root / "x"),
        )
    ):
        root = tmp_path / str(number)
        root.mkdir()
        (root / "SKILL.md").write_bytes(SKILL)
        make(root)
        with pytest.raises(BundleRefused, match=r"is a (hard )?link|is a device"):
            read_folder(root)


def test_a_folder_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="no such folder or archive"):
        load(tmp_path / "nowhere")


def test_the_same_files_have_one_digest_whatever_they_came_in(tmp_path: Path) -> None:
    (tmp_path / "pdf").mkdir()
    (tmp_path / "pdf" / "SKILL.md").write_bytes(SKILL)
    (tmp_path / "pdf" / "a.txt").write_bytes(b"a")
    sources = [
        make_zip([("pdf/SKILL.md", SKILL), ("pdf/a.txt", b"a")]),
        make_zip([("a.txt", b"a"), ("SKILL.md", SKILL)]),
        make_tar([("./a.txt", b"a"), ("./SKILL.md", SKILL)]),
        make_tar([("skills/pdf/SKILL.md", SKILL), ("skills/pdf/a.txt", b"a")], mode="w"),
        tmp_path / "pdf",
    ]
    digests = set()
    for source in sources:
        with load(source, name="upload") as loaded:
            digests.add(loaded.digest)
            assert loaded.document.problems == ()
    assert len(digests) == 1


def test_two_skills_in_one_archive_are_refused_with_their_names() -> None:
    message = refused(make_zip([("a/SKILL.md", SKILL), ("b/SKILL.md", SKILL)]))
    assert "(a, b): import one skill at a time" in message


def test_an_archive_without_a_skill_is_refused() -> None:
    assert refused(make_zip({"README.md": b"x"})) == "there is no SKILL.md in it"
