"""Reading a skill out of a folder on this machine. Links are refused and never followed, also not when swapped in late."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from registry.errors import BundleRefused
from registry.skills.bundle import CHUNK, Bundle


def read_folder(folder: Path) -> Bundle:
    """Raises BundleRefused. Close the bundle."""
    if not folder.is_dir():
        raise BundleRefused("there is no such folder", entry=str(folder))
    bundle = Bundle()
    try:
        _walk(folder, "", bundle)
        bundle.settle_root()
    except OSError as error:
        bundle.close()
        raise BundleRefused(f"can't be read ({error.strerror})", entry=str(error.filename)) from None
    except BaseException:
        bundle.close()
        raise
    bundle.folder_name = bundle.folder_name or folder.resolve().name
    return bundle


def _walk(folder: Path, prefix: str, bundle: Bundle) -> None:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{prefix}{entry.name}"
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            raise BundleRefused("is a link, not a file", entry=path)
        if bundle.skips(path):
            continue
        if stat.S_ISDIR(status.st_mode):
            bundle.add_folder(path)
            _walk(Path(entry.path), f"{path}/", bundle)
        elif not stat.S_ISREG(status.st_mode):
            raise BundleRefused("is a device, a socket or a pipe, not a file", entry=path)
        elif status.st_nlink > 1:
            raise BundleRefused("is a hard link: it has another name elsewhere", entry=path)
        else:
            bundle.add_file(path, _chunks(entry.path, path), executable=bool(status.st_mode & 0o111))


def _chunks(file: str, path: str) -> Iterator[bytes]:
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as content:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise BundleRefused("changed while it was read", entry=path)
        while chunk := content.read(CHUNK):
            yield chunk
