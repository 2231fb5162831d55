"""A skill's files between their source and the database: checked, hashed, and spooled to a private folder.

Nothing is ever written under a name from outside: spooled files are numbered. Limits hold while bytes flow in, so a
bomb is refused when it has grown to a limit, whatever its headers claim.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from registry.errors import BundleRefused
from registry.skills.paths import PathSet, clean_path

MIB = 1024 * 1024
MAX_FILE = 10 * MIB
MAX_TOTAL = 100 * MIB
MAX_FILES = 2_000
MAX_RATIO = 100
"""Unpacked over packed. Text packs to a fifth, logs to a thirtieth; only made-up data passes a hundred."""
RATIO_FLOOR = 64 * 1024
"""A single entry below this may pack as well as it likes; the bundle as a whole may not."""
CHUNK = 64 * 1024

SKIPPED_FOLDERS = frozenset({".git", ".hg", ".svn", "__MACOSX", "__pycache__"})
SKIPPED_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True, slots=True)
class BundleFile:
    """One file. `spooled` is where its bytes lie while the bundle is open."""

    path: str
    size: int
    digest: str
    executable: bool
    spooled: Path

    def read(self) -> bytes:
        return self.spooled.read_bytes()


class Bundle:
    """Files by path, in the order of their paths' bytes. A context manager: the spooled bytes go when it closes."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="customhouse-skill-")
        self._paths = PathSet()
        self._files: dict[str, BundleFile] = {}
        self.total = 0
        self.folder_name = ""
        self.skipped: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._folder.cleanup()

    def __iter__(self) -> Iterator[BundleFile]:
        return iter(sorted(self._files.values(), key=lambda file: file.path.encode()))

    def __len__(self) -> int:
        return len(self._files)

    def get(self, path: str) -> BundleFile | None:
        return self._files.get(path)

    def skips(self, path: str) -> bool:
        """Whether this is what version control and desktops leave lying about. Remembered in `skipped`."""
        *folders, name = path.split("/")
        if name in SKIPPED_FILES or not SKIPPED_FOLDERS.isdisjoint((*folders, name)):
            self.skipped.append(path)
            return True
        return False

    def add_folder(self, written: str) -> None:
        """Raises BundleRefused."""
        if written not in {"", ".", "./"}:
            self._paths.add_folder(clean_path(written))

    def add_file(self, written: str, chunks: Iterable[bytes], *, executable: bool) -> BundleFile:
        """Spool one file. Raises BundleRefused when its name or its bytes break a limit."""
        path = clean_path(written)
        self._paths.add_file(path)
        if len(self._files) >= MAX_FILES:
            raise BundleRefused(f"is one file too many: a skill has at most {MAX_FILES:,}", entry=written)
        hasher = hashlib.sha256()
        size = 0
        spooled = Path(self._folder.name, str(len(self._files)))
        with spooled.open("xb") as out:
            for chunk in chunks:
                size += len(chunk)
                if size > MAX_FILE:
                    raise BundleRefused(f"is larger than {MAX_FILE // MIB} MiB", entry=written)
                if self.total + size > MAX_TOTAL:
                    raise BundleRefused(f"brings the skill above {MAX_TOTAL // MIB} MiB", entry=written)
                hasher.update(chunk)
                out.write(chunk)
        self.total += size
        file = self._files[path] = BundleFile(path, size, hasher.hexdigest(), executable, spooled)
        return file

    def settle_root(self) -> None:
        """Moves the folder that holds SKILL.md to the root. Raises BundleRefused when there is none, or several."""
        homes = sorted(
            {path.rpartition("/")[0] for path in self._files if path.rpartition("/")[2] in {"SKILL.md", "skill.md"}},
            key=lambda home: (len(home), home),
        )
        if not homes:
            raise BundleRefused("there is no SKILL.md in it")
        home = homes[0]
        if not home:
            return
        outside = next((path for path in self._files if not path.startswith(f"{home}/")), None)
        if outside is not None:
            found = ", ".join(homes[:5]) if len(homes) > 1 else home
            raise BundleRefused(f"lies beside the skill's folder ({found}): import one skill at a time", entry=outside)
        self.folder_name = home.rpartition("/")[2]
        cut = len(home) + 1
        self._files = {
            path[cut:]: BundleFile(path[cut:], file.size, file.digest, file.executable, file.spooled) for path, file in self._files.items()
        }
