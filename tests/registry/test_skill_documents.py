"""SKILL.md: what breaks the format is told with its remedy, what can't be read at all is refused by its line."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import BundleRefused
from registry.names import is_semver, next_patch, revision_of, version_order
from registry.skills import skill_md
from registry.skills.loading import load
from tests.registry.archives import make_zip

GOOD = "name: pdf\ndescription: Reads PDF files.\n"


def read(front: str, body: str = "# Do it\n", folder: str = "") -> skill_md.SkillDocument:
    return skill_md.read(f"---\n{front}---\n{body}".encode(), folder_name=folder)


def test_a_document_in_order_has_no_problems() -> None:
    more = "license: MIT\ncompatibility: Needs qpdf.\nallowed-tools: Read Bash(git:*)\nuser-invocable: true\n"
    more += "metadata:\n  version: 1.2.0\n  author: me\n"
    document = read(GOOD + more, folder="pdf")
    assert document.problems == ()
    assert (document.name, document.description, document.declared_version, document.body) == (
        "pdf",
        "Reads PDF files.",
        "1.2.0",
        "# Do it",
    )


@pytest.mark.parametrize(
    ("front", "problem"),
    [
        ("name: PDF Tools\ndescription: x\n", "write `name: pdf-tools`"),
        ("name: -pdf\ndescription: x\n", "write `name: pdf`"),
        ("name: a--b\ndescription: x\n", "write `name: a-b`"),
        (f"name: {'a' * 65}\ndescription: x\n", f"write `name: {'a' * 64}`"),
        ("name: pdf\n", "description is missing: say in a sentence"),
        ("name: pdf\ndescription:\n", "description is missing"),
        ("name: pdf\ndescription: [a]\n", "description is missing"),
        (f"name: pdf\ndescription: {'x' * 1025}\n", "1025 characters, at most 1024"),
        (f"{GOOD}version: 1.0.0\n", "'version' is not a field of the format: move it into metadata"),
        (f"{GOOD}allowed-tools: [Read, Write]\n", "write `allowed-tools: Read Write`"),
        (f"{GOOD}allowed-tools:\n  a: b\n", "one line of text"),
        (f"{GOOD}metadata: text\n", "metadata must be a map"),
        (f"{GOOD}metadata:\n  tags: [a, b]\n", "so tags can't be a list"),
        (f"{GOOD}metadata:\n  version: 1.2\n", "'1.2' is not a semantic version"),
        (f"{GOOD}compatibility: {'x' * 501}\n", "1 to 500 characters"),
        (f"{GOOD}license:\n  a: b\n", "license must be a short text"),
    ],
)
def test_what_breaks_the_format_is_told_with_its_remedy(front: str, problem: str) -> None:
    assert problem in " ".join(read(front).problems)


def test_an_empty_body_and_a_folder_of_another_name_are_told() -> None:
    document = read(GOOD, body="\n \n", folder="other")
    assert len(document.problems) == 2
    assert "rename one of them" in document.problems[0]
    assert "no instructions" in document.problems[1]


def test_a_nameless_skill_takes_the_name_of_its_folder() -> None:
    document = read("description: x\n", folder="My Skill")
    assert document.name == "my-skill"
    assert document.problems[0] == "name is missing: write `name: my-skill`."


def test_values_stay_the_text_that_they_are() -> None:
    document = read(f"{GOOD}metadata:\n  version: 1.10.0\n  date: 2026-11-22\n  yes: no\n  big: 0x10\n")
    assert document.frontmatter["metadata"] == {"version": "1.10.0", "date": "2026-11-22", "yes": "no", "big": "0x10"}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"# No front matter", "must start with front matter"),
        (b"---\nname: pdf\n", "must start with front matter"),
        (b"---\n---\nx", "front matter without fields"),
        (b"---\n- a\n---\nx", "front matter without fields"),
        (b"---\ndescription: x\n---\nx", "has no name"),
        (b"---\nname: a\ndescription: Use when: asked\n---\n", "line 3: mapping values are not allowed here; put a value"),
        (b"---\nname: a\nname: b\n---\n", "line 3: 'name' is given twice"),
        (b"---\nname: &a pdf\ndescription: *a\n---\n", r"line 3: aliases \(\*name\) are not allowed"),
        (b"---\nname: [\n---\n", "line"),
        (b"---\n? [a]\n: b\n---\n", "a key must be a word"),
        (b"---\nname: a\n\tb: c\n---\n", "line 3"),
        (b"---\nname: a\xff\n---\n", "not UTF-8"),
        (b"---\nname: a\n---\nx\x00y", "NUL"),
        (b"---\nname: a\nx: " + b"y" * 70_000 + b"\n---\n", "longer than 64 KiB"),
        (b"---\nname: a\nx: " + b"[" * 3000 + b"\n---\n", "line|not YAML"),
        (b"x" * (1024 * 1024 + 1), "larger than 1 MiB"),
    ],
)
def test_what_can_not_be_read_is_refused_by_its_line(raw: bytes, message: str) -> None:
    with pytest.raises(BundleRefused, match=message):
        skill_md.read(raw)


@given(st.text(alphabet=string.printable, max_size=300))
def test_any_front_matter_is_read_or_refused(text: str) -> None:
    try:
        document = read(f"name: a\n{text}\n")
    except BundleRefused as refused:
        assert refused.entry == "SKILL.md"  # noqa: PT017
    else:
        assert document.name


def test_a_document_in_small_letters_is_read_and_told() -> None:
    with load(make_zip({"skill.md": f"---\n{GOOD}---\nx".encode()})) as loaded:
        assert loaded.document.problems == ("skill.md must be called SKILL.md: rename the file.",)


def test_versions_are_ordered_by_their_meaning() -> None:
    early = ["whatever", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11"]
    ordered = [*early, "1.0.0", "1.0.0+r2", "1.2.0", "1.10.0"]
    assert sorted(sorted(ordered), key=version_order) == ordered


@pytest.mark.parametrize("text", ["1", "1.0", "01.0.0", "1.0.0-01", "v1.0.0", "1.0.0-", "1.0.0+", "1.0.0 ", "1.0.0\n", ""])
def test_what_only_looks_like_a_semantic_version_is_none(text: str) -> None:
    assert not is_semver(text)


def test_content_without_a_number_of_its_own_gets_the_next_free_one() -> None:
    assert next_patch(set()) == "1.0.0"
    assert next_patch({"1.0.9", "1.0.10", "draft"}) == "1.0.11"
    assert revision_of("2.0.0", set()) == "2.0.0"
    assert revision_of("2.0.0", {"2.0.0", "2.0.0+r2"}) == "2.0.0+r3"
    assert revision_of("2.0.0+build", {"2.0.0+build"}) == "2.0.0+build.r2"
    assert is_semver(revision_of("2.0.0+build", {"2.0.0+build"}))
