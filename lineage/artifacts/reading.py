"""One file's bytes, wherever they lie: the port that hashing and formats read through.

Owns: what every kind of reading promises, files of this machine, bytes in memory. Does not own: other places
where bytes live (`artifacts.storage`), or what is computed of them.
"""

from __future__ import annotations

import os
import stat
from typing import Protocol

from lineage.errors import InconclusiveError, MalformedError

CHUNK_BYTES = 1 << 20
"""Bytes read at a time: large enough that hashing, not calling, is the cost."""


class ByteSource(Protocol):
    """One file, opened: read from its start in order, or anywhere. For one thread at a time.

    Every call raises InconclusiveError for what could not be read. `size` is in bytes, and known before
    anything is read. `notes` tell what happened on the way, for people: a connection cut and read on.
    """

    notes: list[str]

    @property
    def size(self) -> int: ...

    def readinto(self, view: memoryview) -> int:
        """Put the next bytes into `view`; how many, 0 at the end."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset` on; the order of reading is not touched.

        Raises: MalformedError where that is beyond the end.
        """
        ...

    def finish(self) -> None:
        """To be asked at the end. Raises: InconclusiveError where it changed since it was opened."""
        ...

    def close(self) -> None: ...


class LocalBytes:
    """A regular file of this machine. A symlink is followed: the caller has resolved and judged the path.

    Raises: InconclusiveError where it can't be opened or is no regular file.
    """

    def __init__(self, path: bytes) -> None:
        self.notes: list[str] = []
        self._path = path
        try:
            # O_NONBLOCK: a named pipe must be recognised, not waited for. It changes nothing for files.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "its name has a zero byte"
            raise InconclusiveError(f"{shown(path)} can't be opened: {why}.") from error
        self._before = os.fstat(self._descriptor)
        self._read = 0
        if not stat.S_ISREG(self._before.st_mode):
            self.close()
            raise InconclusiveError(f"{shown(path)} is not a regular file.")

    @property
    def size(self) -> int:
        return self._before.st_size

    def readinto(self, view: memoryview) -> int:
        try:
            count = os.preadv(self._descriptor, [view], self._read)
        except OSError as error:
            raise InconclusiveError(f"{shown(self._path)} can't be read: {error.strerror}.") from error
        self._read += count
        return count

    def read_at(self, offset: int, length: int) -> bytes:
        within(offset, length, self.size)
        try:
            found = os.pread(self._descriptor, length, offset)
            while len(found) < length and (
                more := os.pread(self._descriptor, length - len(found), offset + len(found))
            ):
                found += more
        except OSError as error:
            raise InconclusiveError(f"{shown(self._path)} can't be read: {error.strerror}.") from error
        if len(found) < length:
            raise InconclusiveError(f"{shown(self._path)} became shorter while it was read.")
        return found

    def finish(self) -> None:
        after = os.fstat(self._descriptor)
        before = self._before
        if (after.st_mtime_ns, after.st_size, after.st_ctime_ns) != (
            before.st_mtime_ns, before.st_size, before.st_ctime_ns,
        ):  # fmt: skip
            raise InconclusiveError(f"{shown(self._path)} changed while it was read.")

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class MemoryBytes:
    """Bytes that are here already: a member of an archive, a document from a registry."""

    def __init__(self, content: bytes) -> None:
        self.notes: list[str] = []
        self._content = memoryview(content)
        self._read = 0

    @property
    def size(self) -> int:
        return len(self._content)

    def readinto(self, view: memoryview) -> int:
        part = self._content[self._read : self._read + len(view)]
        view[: len(part)] = part
        self._read += len(part)
        return len(part)

    def read_at(self, offset: int, length: int) -> bytes:
        within(offset, length, self.size)
        return bytes(self._content[offset : offset + length])

    def finish(self) -> None:
        """Memory doesn't change."""

    def close(self) -> None:
        """Nothing is held."""


class Again:
    """A source that was read, from its start once more, by the same opening of it."""

    def __init__(self, source: ByteSource) -> None:
        self.notes = source.notes
        self._source = source
        self._read = 0

    @property
    def size(self) -> int:
        return self._source.size

    def readinto(self, view: memoryview) -> int:
        part = self.read_at(self._read, min(len(view), self.size - self._read))
        view[: len(part)] = part
        self._read += len(part)
        return len(part)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._source.read_at(offset, length)

    def finish(self) -> None:
        self._source.finish()

    def close(self) -> None:
        """Whoever opened the source closes it."""


def within(offset: int, length: int, size: int) -> None:
    """Raises: MalformedError where `length` bytes from `offset` on are not all inside `size` bytes."""
    if offset < 0 or length < 0 or offset + length > size:
        raise MalformedError(f"It names {length:,} bytes at {offset:,}, and has {size:,} in all.")


def shown(path: bytes) -> str:
    """A path as text for people."""
    return path.decode("utf-8", "backslashreplace")
