"""Archives as no honest tool packs them, built in memory."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence

SKILL = b"---\nname: pdf\ndescription: Reads PDF files. Use when somebody hands you one.\n---\n# PDF\n\nOpen the file, then read it.\n"


def make_zip(files: Mapping[str, bytes] | Sequence[tuple[str | zipfile.ZipInfo, bytes]]) -> io.BytesIO:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(entry, content)
    return out


def zip_entry(name: str, *, mode: int = 0o100644) -> zipfile.ZipInfo:
    """An entry whose name is written as it is, NUL bytes and all, with a Unix mode."""
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def make_tar(entries: Sequence[tuple[str, bytes] | tarfile.TarInfo], *, mode: str = "w:gz") -> io.BytesIO:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                archive.addfile(entry)
                continue
            info = tarfile.TarInfo(entry[0])
            info.size = len(entry[1])
            archive.addfile(info, io.BytesIO(entry[1]))
    return out


def tar_link(name: str, target: str, *, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info
