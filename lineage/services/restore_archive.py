"""Reading an archive that may be hostile: in one pass, with bounded memory, and never extracting by a name.

Owns: the tar's blocks, in which nothing but plain files with the expected names may stand; limits; which
files were read, with their digests. Does not own: what their rows mean. The tar is read here and not by
`tarfile`, whose extensions (long names, PAX headers, sparse files, links) it would follow without a limit.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from lineage.errors import MalformedError, TooLargeError, UnavailableError
from lineage.services import backup_format
from lineage.services.backup_format import File
from lineage.trust.digest import sha256_hex

_CUT = "The archive is cut off or damaged"


class ArchiveReader:
    """`files` are those read so far. Every method raises MalformedError or TooLargeError.

    And UnavailableError where the disk fails.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.files: list[File] = []
        self._packed = gzip.GzipFile(fileobj=file, mode="rb")
        self._next: tarfile.TarInfo | None = None
        self._advance()

    def file(self, name: str, limit: int = backup_format.MAX_SMALL_BYTES) -> bytes:
        """The file that must stand next."""
        if self._name != name:
            raise MalformedError(f"The archive has {self._found} where {name} should stand.")
        return self._take(limit, rows=False)

    def parts(self, section: str) -> Iterator[list[bytes]]:
        """The lines of each part of a section; nothing where it has no row."""
        number = 0
        while self._name == backup_format.part(section, number):
            data = self._take(backup_format.MAX_PART_BYTES, rows=True)
            lines = data.split(b"\n")
            if lines.pop():
                raise MalformedError(f"{backup_format.part(section, number)} ends within a line.")
            yield lines
            number += 1

    def end(self) -> None:
        """Nothing may follow but the empty blocks of the last record."""
        if self._next is not None:
            raise MalformedError(f"The archive has {self._found} after its end.")
        rest = self._read(tarfile.RECORDSIZE + 1, whole=False)
        if len(rest) > tarfile.RECORDSIZE or any(rest):
            raise MalformedError("Something follows the end of the archive.")

    @property
    def _name(self) -> str:
        return "" if self._next is None else self._next.name

    @property
    def _found(self) -> str:
        return "its end" if self._next is None else f"the file {self._next.name[:120]!r}"

    def _take(self, limit: int, *, rows: bool) -> bytes:
        info = self._next
        assert info is not None
        if info.size > limit:
            raise TooLargeError(
                f"{info.name} says it has {info.size} bytes; the limit is {limit}.", limit=limit
            )
        data = self._read(info.size)
        if any(self._read(-info.size % tarfile.BLOCKSIZE)):
            raise MalformedError(f"Something stands behind the end of {info.name}.")
        self.files.append(File(info.name, data.count(b"\n") if rows else 0, len(data), sha256_hex(data)))
        self._advance()
        return data

    def _advance(self) -> None:
        """Look at the next file's header; None where the empty block stands that ends the tar."""
        block = self._read(tarfile.BLOCKSIZE)
        if not any(block):
            self._next = None
            return
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError):
            raise MalformedError(f"{_CUT}: this is no header of a file.") from None
        if info.type != tarfile.REGTYPE or info.linkname or info.size < 0:
            raise MalformedError(f"The archive has {info.name[:120]!r}, which is no plain file.")
        self._next = info

    def _read(self, size: int, *, whole: bool = True) -> bytes:
        try:
            data = self._packed.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise MalformedError(f"{_CUT}: {error}") from None
        except OSError as error:
            raise UnavailableError(f"The archive can't be read: {error.strerror or error}.") from None
        if whole and len(data) != size:
            raise MalformedError(f"{_CUT}: it ends in the middle of a file.")
        return data
