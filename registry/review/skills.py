"""What a reviewer of a skill's version is shown."""

from __future__ import annotations

from collections.abc import Iterator

from registry.choices import Risk
from registry.models import SkillFile, SkillVersion
from registry.review.difference import Part, bounded, compare
from registry.review.findings import Finding, finding, text_findings

MAX_TEXT = 512 * 1024
"""Bytes of a file that is shown as text and searched for hidden characters."""
SCRIPTS = (".py", ".sh", ".bash", ".zsh", ".js", ".mjs", ".ts", ".rb", ".pl", ".ps1", ".bat", ".cmd", ".php", ".lua")


def difference(proposed: SkillVersion, live: SkillVersion | None) -> list[Part]:
    old, new = _files(live), _files(proposed)
    changed = {path for path in old.keys() | new.keys() if _mark(old.get(path)) != _mark(new.get(path))}
    before = {path: _shown(old[path]) for path in sorted(changed & old.keys())}
    after = {path: _shown(new[path]) for path in sorted(changed & new.keys())}
    return bounded(compare("file", before, after))


def _files(version: SkillVersion | None) -> dict[str, SkillFile]:
    return {file.path: file for file in version.files.all()} if version else {}


def _mark(file: SkillFile | None) -> tuple[str, bool] | None:
    return (file.blob_id, file.executable) if file else None


def _shown(file: SkillFile) -> str:
    text = text_of(file)
    mode = "executable\n" if file.executable else ""
    return f"{mode}{text}" if text is not None else f"{mode}binary, {file.size:,} bytes, SHA-256 {file.blob_id}"


def text_of(file: SkillFile) -> str | None:
    """The file as text, None when it is large or not text."""
    if file.size > MAX_TEXT:
        return None
    content = bytes(file.blob.content)
    if b"\x00" in content:
        return None
    try:
        return content.decode("utf-8-sig")  # editors on Windows begin a file with a mark; it hides nothing
    except UnicodeDecodeError:
        return None


def findings(proposed: SkillVersion, live: SkillVersion | None) -> Iterator[Finding]:
    old = _files(live)
    for path, file in _files(proposed).items():
        known = old.get(path)
        if _mark(known) == _mark(file):
            continue
        text, before = text_of(file), text_of(known) if known else None
        if text is None:
            yield finding(Risk.WARNING, "binary", path, "Can't be shown: it is large or not text.")
        else:
            yield from text_findings(path, text, before=before)
        yield from _runs(file, known)
    for path in sorted(old.keys() - _files(proposed).keys()):
        yield finding(Risk.NOTE, "file-gone", path, "Is gone.")
    yield from _document(proposed, live)


def _runs(file: SkillFile, known: SkillFile | None) -> Iterator[Finding]:
    if file.executable or file.path.lower().endswith(SCRIPTS):
        what = "Is a new script" if known is None else "Is a script that changed"
        yield finding(Risk.WARNING, "script", file.path, f"{what}: it runs on the machine of whoever installs the skill.")


def _document(proposed: SkillVersion, live: SkillVersion | None) -> Iterator[Finding]:
    tools, before = (set(str(version.frontmatter.get("allowed-tools", "")).split()) if version else set() for version in (proposed, live))
    if tools - before:
        level = Risk.DANGER if any(tool.startswith("Bash") for tool in tools - before) else Risk.WARNING
        yield finding(level, "allowed-tools", "SKILL.md", f"Lets agents use {', '.join(sorted(tools - before))} without asking.")
    if live is not None and live.frontmatter.get("description") != proposed.frontmatter.get("description"):
        yield finding(Risk.WARNING, "description-changed", "SKILL.md", "Describes itself differently: agents choose skills by this text.")
