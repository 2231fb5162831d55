"""Which paths a skill may hold, so that it unpacks to the same files on every system and to nothing outside its root."""

from __future__ import annotations

import re
import unicodedata

from registry import hidden
from registry.errors import BundleRefused

MAX_PATH = 500
MAX_PART_BYTES = 255
"""What ext4, APFS and NTFS take as one name."""
MAX_DEPTH = 24

_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?")
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')


def clean_path(written: str) -> str:
    """The path as `a/b/c`. Takes a leading `./` and a trailing `/`, refuses all else that is not plain.

    Raises BundleRefused, naming the entry.
    """
    if "\x00" in written:
        raise BundleRefused("holds a NUL byte", entry=written)
    try:
        written.encode()
    except UnicodeEncodeError:
        raise BundleRefused("its name is not UTF-8", entry=written.encode("utf-8", "backslashreplace").decode()) from None
    if written.startswith("/") or re.match(r"[A-Za-z]:", written):
        raise BundleRefused("is an absolute path", entry=written)
    path = written.removeprefix("./").removesuffix("/")
    parts = path.split("/")
    if ".." in parts or ".." in path.replace("\\", "/").split("/"):
        raise BundleRefused("climbs out of the skill with '..'", entry=written)
    if _FORBIDDEN.search(path):
        raise BundleRefused('holds a character that not every system allows in names (control, \\ : * ? " < > |)', entry=written)
    if not hidden.is_clean(path):
        raise BundleRefused(f"holds invisible characters: {hidden.reveal(path)}", entry=written)
    if len(path) > MAX_PATH or len(parts) > MAX_DEPTH:
        raise BundleRefused(f"is longer than {MAX_PATH} characters or deeper than {MAX_DEPTH} folders", entry=written[:200])
    for part in parts:
        _check_part(part, written)
    return path


def _check_part(part: str, written: str) -> None:
    if part in {"", "."}:
        raise BundleRefused("has an empty part in its path", entry=written)
    if len(part.encode()) > MAX_PART_BYTES:
        raise BundleRefused(f"has a part longer than {MAX_PART_BYTES} bytes", entry=written)
    if part != part.strip() or part.endswith("."):
        raise BundleRefused("has a part with a space at an end or a dot at the end", entry=written)
    if _DEVICES.fullmatch(part):
        raise BundleRefused("is the name of a device on Windows", entry=written)


class PathSet:
    """The paths of one bundle. Two spellings that some file system takes for one are refused, folders included."""

    def __init__(self) -> None:
        self._spelled: dict[str, str] = {}
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add_file(self, path: str) -> None:
        """Raises BundleRefused."""
        self.add_folder(path.rpartition("/")[0])
        key = self._claim(path)
        if key in self._files:
            raise BundleRefused("is in it twice", entry=path)
        if key in self._folders:
            raise BundleRefused("is a file and a folder at once", entry=path)
        self._files.add(key)

    def add_folder(self, path: str) -> None:
        """A folder and those above it. Raises BundleRefused."""
        parts = path.split("/") if path else []
        for count in range(1, len(parts) + 1):
            folder = "/".join(parts[:count])
            key = self._claim(folder)
            if key in self._files:
                raise BundleRefused("is a file and a folder at once", entry=folder)
            self._folders.add(key)

    def _claim(self, path: str) -> str:
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", path).casefold())
        spelled = self._spelled.setdefault(key, path)
        if spelled != path:
            raise BundleRefused(f"is the same name as {spelled!r} where case or Unicode form does not count", entry=path)
        return key
