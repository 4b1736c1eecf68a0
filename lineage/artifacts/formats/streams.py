"""Bytes that are read in order and may be stepped over: of a file, or of a member of an archive.

Owns: a reader that checks each length before it allocates. Does not own: where the bytes come from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from lineage.artifacts.reading import CHUNK_BYTES, ByteSource
from lineage.errors import MalformedError, TooLargeError

Read = Callable[[int], bytes]
"""At most so many next bytes; fewer than asked does not mean the end, none does."""


class CutOffError(MalformedError):
    """The bytes ended in the middle of something."""


class Stream:
    """A cursor over bytes that come in order. `position` counts from the stream's start.

    Raises: CutOffError where the bytes end too early; what `read` raises.
    """

    def __init__(self, read: Read, jump: Callable[[int], None] | None = None) -> None:
        """`jump(count)` passes over bytes without reading them, up to the end; where there is none they are
        read, and `digest` is fed with all of them."""
        self.position = 0
        self.digest: Any = hashlib.sha256()
        self._read = read
        self._jump = jump
        self._held = b""
        self._at = 0
        self._failed: MalformedError | None = None

    def take(self, count: int) -> bytes:
        """Exactly the next `count` bytes."""
        if len(self._held) - self._at < count:
            self._fill(count)
            if len(self._held) - self._at < count:
                if self._failed is not None:
                    raise self._failed
                raise CutOffError("The bytes end too early.", where=f"byte {self.position}")
        part = self._held[self._at : self._at + count]
        self._at += count
        self.position += count
        return part

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer at the end; the cursor stays.

        Where what packs the bytes is broken, that is raised once none are left.
        """
        if len(self._held) - self._at < count:
            self._fill(count)
            if self._failed is not None and self._at == len(self._held):
                raise self._failed
        return self._held[self._at : self._at + count]

    def skip(self, count: int) -> None:
        """Move over `count` bytes without keeping them."""
        held = len(self._held) - self._at
        if self._jump is not None and count > held + CHUNK_BYTES:
            self._held, self._at = b"", 0
            self._jump(count - held)
            self.position += count
            return
        while count > 0:
            step = min(count, max(len(self._held) - self._at, 1), CHUNK_BYTES)
            self.take(step)
            count -= step

    def line(self, limit: int) -> bytes:
        """The bytes up to the next newline, which is passed over and not given."""
        size = 256
        while True:
            found = self.peek(size)
            end = found.find(b"\n")
            if end >= 0:
                self.take(end + 1)
                return found[:end]
            if len(found) < size:
                raise CutOffError("A line doesn't end.", where=f"byte {self.position}")
            if size > limit:
                raise TooLargeError(f"A line is over {limit:,} bytes long.", limit=limit)
            size *= 4

    def to_end(self) -> None:
        """Move over all that is left, so that `digest` is that of the whole."""
        while held := len(self.peek(CHUNK_BYTES)):
            self.take(held)

    def _fill(self, count: int) -> None:
        pieces = [self._held[self._at :]]
        have = len(pieces[0])
        while have < count:
            try:
                piece = self._read(min(max(count - have, 1 << 16), CHUNK_BYTES))
            except MalformedError as error:
                self._failed = error
                break
            if not piece:
                break
            if self._jump is None:
                self.digest.update(piece)
            pieces.append(piece)
            have += len(piece)
        self._held, self._at = b"".join(pieces), 0


def of_source(source: ByteSource, start: int = 0, end: int | None = None, *, jumps: bool = True) -> Stream:
    """The bytes `start` to `end` (exclusive) of a file, with a cursor of their own.

    Without `jumps` all bytes that are passed over are read too, for `digest`.
    """
    place = start
    stop = source.size if end is None else end

    def read(count: int) -> bytes:
        nonlocal place
        piece = source.read_at(place, max(min(max(count, CHUNK_BYTES), stop - place), 0))
        place += len(piece)
        return piece

    def jump(count: int) -> None:
        nonlocal place
        if count > stop - place:
            raise CutOffError(f"It names {count:,} bytes at {place:,}, and has {stop:,} in all.")
        place += count

    return Stream(read, jump if jumps else None)
