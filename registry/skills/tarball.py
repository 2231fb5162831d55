"""The one tar that a skill's version is: sorted, owned by nobody, dated 1970. Its SHA-256 is the version's digest.

Headers are POSIX pax. Nothing of the machine it is made on gets in, so the same files give the same bytes anywhere;
only the gzip around it may differ between builds of zlib, which is why the digest is that of the tar.
"""

from __future__ import annotations

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Part:
    """One file to pack. `read` is called when its turn comes, so that one file at a time is in memory."""

    path: str
    size: int
    executable: bool
    read: Callable[[], bytes]


def tar(parts: Iterable[Part]) -> Iterator[bytes]:
    """Raises ValueError when a part has another size than it says."""
    for part in sorted(parts, key=lambda part: part.path.encode()):
        header = tarfile.TarInfo(part.path)
        header.size = part.size
        header.mode = 0o755 if part.executable else 0o644
        yield header.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
        content = part.read()
        if len(content) != part.size:
            raise ValueError(f"{part.path} has {len(content)} bytes, not {part.size}")
        yield content
        yield b"\0" * (-part.size % _BLOCK)
    yield b"\0" * (2 * _BLOCK)


def digest(parts: Iterable[Part]) -> str:
    """SHA-256 of the tar, in hex."""
    hasher = hashlib.sha256()
    for piece in tar(parts):
        hasher.update(piece)
    return hasher.hexdigest()


def tar_gz(parts: Iterable[Part]) -> Iterator[bytes]:
    """The tar in gzip, without a name or a time in its header."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    for piece in tar(parts):
        if packed := deflate.compress(piece):
            yield packed
    yield deflate.flush()
