"""From any source to a bundle with its document read: what an import needs before it touches the database."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from registry.errors import BundleRefused
from registry.skills import skill_md, tarball
from registry.skills.archives import read_archive
from registry.skills.bundle import Bundle
from registry.skills.folders import read_folder


@dataclass(frozen=True, slots=True)
class LoadedSkill(AbstractContextManager["LoadedSkill"]):
    """`digest` is that of the canonical tar. A context manager: the files' bytes are there while it is open."""

    bundle: Bundle
    document: skill_md.SkillDocument
    digest: str
    source: str

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.bundle.close()


def load(source: Path | IO[bytes], *, name: str = "") -> LoadedSkill:
    """`source` is a folder, an archive's path, or an open archive whose file name is `name`. Raises BundleRefused."""
    if isinstance(source, Path):
        if source.is_dir():
            return _loaded(read_folder(source), str(source))
        if not source.is_file():
            raise BundleRefused("there is no such folder or archive", entry=str(source))
        with source.open("rb") as stream:
            return _loaded(read_archive(stream), str(source))
    return _loaded(read_archive(source), name)


def _loaded(bundle: Bundle, source: str) -> LoadedSkill:
    try:
        problems: tuple[str, ...] = ()
        file = bundle.get("SKILL.md")
        if file is None:
            file = bundle.get("skill.md")
            problems = ("skill.md must be called SKILL.md: rename the file.",)
        if file is None:  # settle_root has found one, so only its own spelling may be odd
            raise BundleRefused("there is no SKILL.md in it")
        if file.size > skill_md.MAX_DOCUMENT:
            raise BundleRefused("is larger than 1 MiB; move parts of it into references/", entry=file.path)
        document = skill_md.read(file.read(), folder_name=bundle.folder_name)
        if problems:
            document = skill_md.SkillDocument(
                document.name, document.description, document.frontmatter, document.body, problems + document.problems
            )
        digest = tarball.digest(tarball.Part(entry.path, entry.size, entry.executable, entry.read) for entry in bundle)
    except BaseException:
        bundle.close()
        raise
    return LoadedSkill(bundle, document, digest, source)
