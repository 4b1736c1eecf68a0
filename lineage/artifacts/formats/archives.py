"""Opening what pickles are packed in: zip, tar, and compressed files; nothing is written anywhere.

Owns: the members of an archive as streams, with caps. Does not own: what is in them.

A zip is read as PyTorch reads it and not as Python does: checksums, the encryption flag and the names of the
local headers are passed over, since a file may lie in them to look harmless.
"""

from __future__ import annotations

import bz2
import contextlib
import errno
import io
import lzma
import struct
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
_FED_BYTES = 4096
"""What a decompressor is fed with at once: as little as any reader does, which gives all before an error."""

_OF_PYTORCH = frozenset({"storages", "tensors", "pickle", "sys_info"})
ZIP_MAGIC = (b"PK\3\4", b"PK\5\6")
_UNOPENED = {
    b"7z\xbc\xaf\x27\x1c": "7z archive",
    b"\x04\x22\x4d\x18": "lz4 file",
    b"\x28\xb5\x2f\xfd": "zstd file",
}
_LZMA = b"\x5d\0"
_COMPRESSED: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=MAX_LZMA_MEMORY)),
    (_LZMA, lambda: lzma.LZMADecompressor(memlimit=MAX_LZMA_MEMORY)),
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


class TwoDirectoriesError(MalformedError):
    """A zip has two directories, of which Python reads one and PyTorch the other: `other`, as it stands."""

    def __init__(self, other: bytes) -> None:
        super().__init__("It has two directories, and what it holds depends on which of them is read.")
        self.other = other


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
    """A file in an archive. `encrypted` where the archive says so; its bytes are then what stands there.

    `of_pytorch`: a file of the tar that PyTorch wrote before it had a format of its own; `link`: it is one,
    and has no bytes.
    """

    name: str
    stream: Stream
    encrypted: bool = False
    of_pytorch: bool = False
    link: bool = False


def is_zip(head: bytes) -> bool:
    return head.startswith(ZIP_MAGIC)


def is_tar(head: bytes) -> bool:
    """Also one without any magic, whose checksum alone tells it: what is as old, PyTorch still loads."""
    if head[257:262] == b"ustar":
        return True
    try:
        return len(head) >= 512 and bool(tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape"))
    except _NO_TAR:
        return False


def is_tar_of_pytorch(head: bytes) -> bool:
    """Whether a tar begins with a file that PyTorch's have."""
    return is_tar(head) and head[:100].rstrip(b"\0").decode(errors="replace") in _OF_PYTORCH


def refuse_unopened(head: bytes) -> None:
    """Raises: UnopenedError for an archive that can't be opened here."""
    for magic, kind in _UNOPENED.items():
        if head.startswith(magic):
            raise UnopenedError(f"It is a {kind}, which can't be opened here.")


def is_compressed(head: bytes) -> bool:
    return any(_has_magic(head, magic) for magic, _ in _COMPRESSED)


def _has_magic(head: bytes, magic: bytes) -> bool:
    return head.startswith(magic) and (magic != _LZMA or _is_lzma(head))


def _is_lzma(head: bytes) -> bool:
    """Whether the old header of LZMA names a size of its dictionary that liblzma takes."""
    size = int.from_bytes(head[1:5], "little")
    return size == 0xFFFFFFFF or (size > 0 and size // (size & -size) in {1, 3})


def decompressed(head: bytes, stream: Stream, budget: Budget) -> Stream | None:
    """What a compressed file holds; None where its head is not that of one."""
    for magic, make in _COMPRESSED:
        if _has_magic(head, magic):
            return Stream(_Unpacked(stream, make, budget, True).read)
    return None


class _Unpacked:
    """Reads through decompressors of zlib, bz2 or lzma, never more at once than is asked for.

    With `many` one stream may follow the other, as all readers of such files take it: zeros may lie between,
    and what is behind the last and is no stream is passed over. What comes out before the place where a
    stream is broken is given: it has been loaded by then.
    """

    def __init__(self, packed: Stream, make: Callable[[], Any], budget: Budget, many: bool) -> None:
        self._packed, self._make, self._budget, self._many = packed, make, budget, many
        self._engine = make()
        self._fed = 0
        self._gave = False
        self._first = True
        self._broken = ""

    def read(self, count: int) -> bytes:
        while not self._broken and not (self._engine.eof and not self._next()):
            waits = self._fed > 0
            held = b"" if waits else self._packed.peek(_FED_BYTES)
            self._fed = self._fed if waits else len(held)
            piece = self._decompress(held, count)
            if piece:
                self._gave = True
                self._budget.spend(len(piece))
                return piece
            if not (held or waits or self._engine.eof):
                self._broken = "What is compressed in it is cut off."
        if self._broken and (self._first or self._gave):
            raise MalformedError(self._broken)
        return b""

    def _decompress(self, held: bytes, count: int) -> bytes:
        engine = self._engine
        before = engine.copy() if hasattr(engine, "copy") else None
        try:
            piece: bytes = engine.decompress(held, count)
        except _BROKEN:
            self._broken = "What is compressed in it is broken."
            return _until_broken(before, held, count) if before else b""
        if engine.eof:
            left = len(engine.unused_data)
        elif not getattr(engine, "needs_input", True):
            return piece  # it holds what it was fed with, and wants no more as yet
        else:
            left = len(getattr(engine, "unconsumed_tail", b""))
        self._packed.take(self._fed - left)
        self._fed = 0
        return piece

    def _next(self) -> bool:
        """Begin with the stream that follows, if any."""
        while self._many and (held := self._packed.peek(_FED_BYTES)):
            zeros = len(held) - len(held.lstrip(b"\0"))
            self._packed.take(zeros)
            if zeros < len(held):
                self._engine, self._first, self._gave = self._make(), False, False
                return True
        return False


def _until_broken(engine: Any, held: bytes, count: int) -> bytes:
    """What comes out of the bytes before the first that zlib does not take: a wrong checksum comes last."""
    out = bytearray()
    with contextlib.suppress(*_BROKEN):
        for place in range(len(held)):
            if len(out) >= count:
                break
            out += engine.decompress(held[place : place + 1], count - len(out))
    return bytes(out)


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

    Raises: MalformedError, TooLargeError, InconclusiveError; TwoDirectoriesError after the last.
    """
    try:
        with zipfile.ZipFile(_Seekable(source)) as archive:
            infos, start = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        # Names that are no text, versions to come, places before the start. What can't be read is no OSError.
        raise MalformedError("It is no whole zip archive.") from error
    if len(infos) > MAX_MEMBERS:
        raise TooLargeError(f"The archive has more than {MAX_MEMBERS:,} files.", limit=MAX_MEMBERS)
    for info in infos:
        if not info.filename.endswith("/"):
            yield Member(info.filename, _zip_stream(source, info, budget), bool(info.flag_bits & 1))
    if other := _other_directory(source, start):
        raise TwoDirectoriesError(other)


def _other_directory(source: ByteSource, start: int) -> bytes:
    """The directory at the place that the archive's end names, if one is there, and Python's is at `start`.

    Python takes what lies right before the end, as if something had been put before the archive; the end
    itself, and what it says of archives over 4 GiB, PyTorch takes at its word.
    """
    before = max(source.size - (1 << 16) - 22, 0)
    tail = source.read_at(before, source.size - before)
    end = tail.rfind(b"PK\5\6", 0, max(len(tail) - 18, 0))
    if end < 0:
        return b""
    size, place = struct.unpack_from("<II", tail, end + 12)
    locator = tail[end - 20 : end] if end >= 20 else b""
    if locator.startswith(b"PK\6\7"):
        large = _there(source, int.from_bytes(locator[8:16], "little"), 56)
        if large.startswith(b"PK\6\6"):
            size, place = struct.unpack_from("<QQ", large, 40)
    if place == start:
        return b""
    found = _there(source, place, min(size, MAX_DIRECTORY_BYTES))
    return found if found.startswith(b"PK\1\2") else b""


def _there(source: ByteSource, place: int, size: int) -> bytes:
    """The bytes at a place, as far as there are any."""
    return source.read_at(place, min(size, source.size - place)) if place < source.size else b""


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
    return Stream(_Unpacked(packed, _METHODS[info.compress_type], budget, False).read)


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
                known = info.name.rstrip("/") in _OF_PYTORCH
                content = archive.extractfile(info) if info.isreg() else None
                if content is not None:
                    budget.spend(info.size)
                    yield Member(info.name, Stream(_tar_read(content)), of_pytorch=known)
                elif known and (info.issym() or info.islnk()):
                    yield Member(info.name, Stream(lambda _: b""), of_pytorch=True, link=True)
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
