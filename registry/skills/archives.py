"""Reading skills out of zip and tar archives, entry by entry as a stream. Nothing is extracted by a library."""

from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from stat import S_IFMT, S_ISDIR, S_ISREG
from typing import IO, cast

from registry.errors import BundleRefused
from registry.skills.bundle import CHUNK, MAX_FILES, MAX_RATIO, MAX_TOTAL, MIB, RATIO_FLOOR, Bundle

MAX_DIRECTORY = 4 * MIB
"""Bytes of a zip's central directory: 2,000 files need 0.2 MiB, and the library reads all of it into memory."""
MAX_TAR = MAX_TOTAL + MAX_FILES * 4 * 1024
"""Bytes of an unpacked tar with its headers. A header that claims to be larger ends here and not in memory."""
MAX_HEADERS = 4 * MIB
"""What a tar's headers may add to what its content packs to: they are read into memory one at a time."""

_END_OF_DIRECTORY = struct.Struct("<4s4H2LH")


def read_archive(stream: IO[bytes]) -> Bundle:
    """The bundle in a zip, tar or tar.gz, told apart by its first bytes. Raises BundleRefused. Close the bundle."""
    stream.seek(0, 2)
    packed = stream.tell()
    stream.seek(0)
    head = stream.read(512)
    stream.seek(0)
    bundle = Bundle()
    try:
        if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
            _read_zip(stream, packed, bundle)
        elif head[:2] == b"\x1f\x8b":
            _read_tar(cast("IO[bytes]", _Gunzip(stream)), packed, bundle)
        elif head[257:262] == b"ustar":
            _read_tar(stream, max(packed, 1), bundle)
        else:
            raise BundleRefused("this is neither a zip nor a tar.gz archive")
        bundle.settle_root()
    except BaseException:
        bundle.close()
        raise
    return bundle


def _check_total_ratio(bundle: Bundle, size: int, packed: int, entry: str) -> None:
    if bundle.total + size > MAX_RATIO * packed:
        raise BundleRefused(f"unpacks to more than {MAX_RATIO} times the archive's size", entry=entry)


def _read_zip(stream: IO[bytes], packed: int, bundle: Bundle) -> None:
    _check_directory(stream, packed)
    entry = ""
    try:
        with zipfile.ZipFile(stream) as archive:
            for info in archive.infolist():
                entry = info.orig_filename
                _read_zip_entry(archive, info, packed, bundle)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise BundleRefused(f"the archive is damaged ({error})", entry=entry) from None


def _check_directory(stream: IO[bytes], packed: int) -> None:
    """The library would read a directory of any size; its length stands in the last record of the file."""
    start = max(0, packed - 65_557)
    stream.seek(start)
    tail = stream.read(packed - start)
    stream.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_OF_DIRECTORY.size:
        raise BundleRefused("the archive is damaged (it has no end)")
    length = _END_OF_DIRECTORY.unpack_from(tail, at)[5]
    if length > MAX_DIRECTORY:
        raise BundleRefused(f"the archive lists too many entries: a skill has at most {MAX_FILES:,} files")


def _read_zip_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, packed: int, bundle: Bundle) -> None:
    written = info.orig_filename
    mode = info.external_attr >> 16
    kind = S_IFMT(mode)
    if kind and not (S_ISREG(mode) or S_ISDIR(mode)):
        raise BundleRefused("is a link or a device, not a file", entry=written)
    if info.flag_bits & 0x1:
        raise BundleRefused("is encrypted", entry=written)
    if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise BundleRefused("is packed in a way that not every client reads; use deflate", entry=written)
    if written.endswith("/"):
        bundle.add_folder(written)
        return
    if bundle.skips(written):
        return
    with archive.open(info) as content:
        bundle.add_file(written, _zip_chunks(content, info, packed, bundle), executable=bool(mode & 0o111))


def _zip_chunks(content: IO[bytes], info: zipfile.ZipInfo, packed: int, bundle: Bundle) -> Iterator[bytes]:
    size = 0
    while chunk := content.read(CHUNK):
        size += len(chunk)
        if size > RATIO_FLOOR and size > MAX_RATIO * max(info.compress_size, 1):
            raise BundleRefused(f"unpacks to more than {MAX_RATIO} times its packed size", entry=info.orig_filename)
        _check_total_ratio(bundle, size, packed, info.orig_filename)
        yield chunk


def _read_tar(stream: IO[bytes], packed: int, bundle: Bundle) -> None:
    entry = ""
    try:
        with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            for count, member in enumerate(archive):
                entry = member.name
                if count > 2 * MAX_FILES:
                    raise BundleRefused(f"is one entry too many: a skill has at most {MAX_FILES:,} files", entry=entry)
                _read_tar_entry(archive, member, packed, bundle)
    except BundleRefused:
        raise
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OSError) as error:
        raise BundleRefused(f"the archive is damaged ({error})", entry=entry) from None


def _read_tar_entry(archive: tarfile.TarFile, member: tarfile.TarInfo, packed: int, bundle: Bundle) -> None:
    if member.isdir():
        bundle.add_folder(f"{member.name}/" if member.name.strip("./") else "")
        return
    if not member.isreg() or member.issparse():
        raise BundleRefused("is a link or a device, not a file", entry=member.name)
    if bundle.skips(member.name):
        return
    content = archive.extractfile(member)
    if content is None:
        raise BundleRefused("has no content", entry=member.name)
    bundle.add_file(member.name, _tar_chunks(content, member.name, packed, bundle), executable=bool(member.mode & 0o111))


def _tar_chunks(content: IO[bytes], name: str, packed: int, bundle: Bundle) -> Iterator[bytes]:
    size = 0
    while chunk := content.read(CHUNK):
        size += len(chunk)
        _check_total_ratio(bundle, size, packed, name)
        yield chunk


class _Gunzip:
    """A gzip stream of one or more members that never holds more than it was asked for, and ends at MAX_TAR."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._inflate = zlib.decompressobj(wbits=31)
        self._given = 0

    def read(self, size: int) -> bytes:
        pieces: list[bytes] = []
        while size > 0:
            piece = self._some(min(size, CHUNK))
            if not piece:
                break
            pieces.append(piece)
            size -= len(piece)
            self._given += len(piece)
            if self._given > MAX_TAR:
                raise BundleRefused(f"the archive unpacks to more than {MAX_TOTAL // MIB} MiB")
            if self._given > MAX_HEADERS + MAX_RATIO * self._stream.tell():
                raise BundleRefused(f"the archive unpacks to more than {MAX_RATIO} times its size")
        return b"".join(pieces)

    def _some(self, size: int) -> bytes:
        while True:
            if self._inflate.eof:
                left = self._inflate.unused_data.lstrip(b"\0") or self._stream.read(CHUNK).lstrip(b"\0")
                if not left:
                    return b""
                self._inflate = zlib.decompressobj(wbits=31)
                packed = left
            else:
                packed = self._inflate.unconsumed_tail or self._stream.read(CHUNK)
                if not packed:
                    raise EOFError("it ends in the middle")
            piece = self._inflate.decompress(packed, size)
            if piece:
                return piece
