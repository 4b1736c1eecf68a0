"""Opening what pickles are packed in: zip, tar, and compressed files; nothing is written anywhere.

Owns: the members of an archive as streams, with caps. Does not own: what is in them.

A zip is read as PyTorch reads it and not as Python does: checksums, the encryption flag and the names of the
local headers are passed over, since a file may lie in them to look harmless.
"""

from __future__ import annotations

import bz2
import errno
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from lineage.artifacts.formats.base import UnopenedError
from lineage.artifacts.formats.streams import Read, Stream, of_source
from lineage.artifacts.reading import CHUNK_BYTES, ByteSource
from lineage.errors import MalformedError, TooLargeError

MAX_MEMBERS = 100_000
MAX_DIRECTORY_BYTES = 16 << 20
MAX_EXPANDED_BYTES = 4 << 30
"""Bytes that come out of one file, all members together; a file larger than that may hold twice its size."""
MAX_LZMA_MEMORY = 256 << 20
_TAR_BUFFER_BYTES = 64 << 10

ZIP_MAGIC = (b"PK\3\4", b"PK\5\6")
_UNOPENED = {
    b"7z\xbc\xaf\x27\x1c": "7z archive",
    b"\x04\x22\x4d\x18": "lz4 file",
    b"\x28\xb5\x2f\xfd": "zstd file",
}
_COMPRESSED: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=MAX_LZMA_MEMORY)),
    (b"\x5d\0\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MAX_LZMA_MEMORY)),
    (b"\x78\x01", lambda: zlib.decompressobj(15)),
    (b"\x78\x5e", lambda: zlib.decompressobj(15)),
    (b"\x78\x9c", lambda: zlib.decompressobj(15)),
    (b"\x78\xda", lambda: zlib.decompressobj(15)),
)
_METHODS: dict[int, Callable[[], Any]] = {
    zipfile.ZIP_DEFLATED: lambda: zlib.decompressobj(-15),
    zipfile.ZIP_BZIP2: bz2.BZ2Decompressor,
}
_BROKEN = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


@dataclass(slots=True)
class Budget:
    """How many bytes may still come out of one file."""

    left: int

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise TooLargeError("More comes out of the file than is examined.", limit=MAX_EXPANDED_BYTES)


def budget_for(size: int) -> Budget:
    """The budget of a file of `size` bytes."""
    return Budget(max(MAX_EXPANDED_BYTES, 2 * size))


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive. `encrypted` where the archive says so; its bytes are then what stands there."""

    name: str
    stream: Stream
    encrypted: bool = False


def is_zip(head: bytes) -> bool:
    return head.startswith(ZIP_MAGIC)


def is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def refuse_unopened(head: bytes) -> None:
    """Raises: UnopenedError for an archive that can't be opened here."""
    for magic, kind in _UNOPENED.items():
        if head.startswith(magic):
            raise UnopenedError(f"It is a {kind}, which can't be opened here.")


def is_compressed(head: bytes) -> bool:
    return any(head.startswith(magic) for magic, _ in _COMPRESSED)


def decompressed(head: bytes, stream: Stream, budget: Budget) -> Stream | None:
    """What a compressed file holds; None where its head is not that of one."""
    for magic, make in _COMPRESSED:
        if head.startswith(magic):
            return Stream(_decompressing(lambda: stream.peek(CHUNK_BYTES), stream.take, make(), budget))
    return None


def _decompressing(peek: Callable[[], bytes], take: Read, engine: Any, budget: Budget) -> Read:
    """Reads through a decompressor of zlib, bz2 or lzma, never more at once than is asked for."""
    left = b""

    def read(count: int) -> bytes:
        nonlocal left
        while not engine.eof:
            if not left and (held := peek()):
                left = take(len(held))
            try:
                piece: bytes = engine.decompress(left, count)
            except _BROKEN as error:
                raise MalformedError("What is compressed in it is broken.") from error
            fed = bool(left)
            left = getattr(engine, "unconsumed_tail", b"")
            if piece:
                budget.spend(len(piece))
                return piece
            if not fed and not engine.eof:
                raise MalformedError("What is compressed in it is cut off.")
        return b""

    return read


class _Seekable(io.RawIOBase):
    """A ByteSource as zipfile wants it."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        place = offset + (0, self._place, self._source.size)[whence]
        if place < 0:
            raise OSError(errno.EINVAL, "before the start")  # as a file says it: zipfile tries such places
        self._place = place
        return place

    def tell(self) -> int:
        return self._place

    def read(self, size: int = -1) -> bytes:
        left = max(self._source.size - self._place, 0)
        count = left if size < 0 else min(size, left)
        if count > MAX_DIRECTORY_BYTES:
            raise TooLargeError("The archive's directory is too long.", limit=MAX_DIRECTORY_BYTES)
        piece = self._source.read_at(self._place, count)
        self._place += count
        return piece


def zip_members(source: ByteSource, budget: Budget) -> Iterator[Member]:
    """The files of a zip, in the order of its directory. Each is to be read before the next.

    Raises: MalformedError, TooLargeError, InconclusiveError.
    """
    try:
        with zipfile.ZipFile(_Seekable(source)) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        # Names that are no text, versions to come, places before the start. What can't be read is no OSError.
        raise MalformedError("It is no whole zip archive.") from error
    if len(infos) > MAX_MEMBERS:
        raise TooLargeError(f"The archive has more than {MAX_MEMBERS:,} files.", limit=MAX_MEMBERS)
    for info in infos:
        if not info.filename.endswith("/"):
            yield Member(info.filename, _zip_stream(source, info, budget), bool(info.flag_bits & 1))


def _zip_stream(source: ByteSource, info: zipfile.ZipInfo, budget: Budget) -> Stream:
    header = source.read_at(info.header_offset, 30)
    if not header.startswith(b"PK\3\4"):
        raise MalformedError("A file of the archive is not where its directory says.")
    start = info.header_offset + 30
    start += int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    packed = of_source(source, start, start + info.compress_size, jumps=False)
    if info.compress_type == zipfile.ZIP_STORED:

        def read(count: int) -> bytes:
            piece = packed.peek(min(count, CHUNK_BYTES))
            budget.spend(len(piece))
            return packed.take(len(piece))

        return Stream(read)
    if info.compress_type not in _METHODS:
        return Stream(_unopened(info.compress_type))
    engine = _METHODS[info.compress_type]()
    return Stream(_decompressing(lambda: packed.peek(CHUNK_BYTES), packed.take, engine, budget))


def _unopened(method: int) -> Read:
    def read(count: int) -> bytes:
        raise UnopenedError(f"The archive packs by method {method}, which can't be opened here.")

    return read


class _Piped:
    """A Stream as tarfile wants it."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def read(self, count: int) -> bytes:
        return self._stream.take(len(self._stream.peek(min(count, CHUNK_BYTES))))


def tar_members(stream: Stream, budget: Budget) -> Iterator[Member]:
    """The files of a tar, in order. Each is to be read before the next. Raises: as `zip_members`."""
    count = 0
    try:
        with tarfile.open(fileobj=_Piped(stream), mode="r|", bufsize=_TAR_BUFFER_BYTES) as archive:  # type: ignore[call-overload]
            for info in archive:
                count += 1
                if count > MAX_MEMBERS:
                    raise TooLargeError(f"The archive has over {MAX_MEMBERS:,} files.", limit=MAX_MEMBERS)
                content = archive.extractfile(info) if info.isreg() else None
                if content is not None:
                    budget.spend(info.size)
                    yield Member(info.name, Stream(_tar_read(content)))
    except _NO_TAR as error:
        raise MalformedError("It is no whole tar archive.") from error


_NO_TAR = (tarfile.TarError, ValueError, OverflowError, OSError, EOFError, LookupError)


def _tar_read(content: IO[bytes]) -> Read:
    def read(count: int) -> bytes:
        try:
            return content.read(count)
        except _NO_TAR as error:
            raise MalformedError("It is no whole tar archive.") from error

    return read
