"""Reading a file's header piece by piece, each piece checked against what is there.

Owns: a cursor over a ByteSource. Does not own: what the pieces mean.
"""

from __future__ import annotations

import struct

from lineage.artifacts.reading import ByteSource
from lineage.errors import MalformedError

WINDOW_BYTES = 1 << 18
"""Fetched at a time: a header of a megabyte costs some requests over a network, not thousands."""


class Window:
    """A cursor from `position` to `end` (exclusive; by default the file's end).

    Every method raises MalformedError for what would lie beyond `end`, before anything is allocated.
    """

    def __init__(self, source: ByteSource, position: int = 0, end: int | None = None) -> None:
        self.end = source.size if end is None else min(end, source.size)
        self.position = position
        self._source = source
        self._start = 0
        self._held = b""

    @property
    def left(self) -> int:
        """Bytes from the cursor to the end."""
        return self.end - self.position

    def need(self, count: int, what: str) -> None:
        """Raises: MalformedError where fewer than `count` bytes are left."""
        if count < 0 or count > self.left:
            raise MalformedError(
                f"{what} needs {count:,} bytes, and {max(self.left, 0):,} are left.",
                where=f"byte {self.position}",
            )

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes; the cursor moves behind them."""
        self.need(count, what)
        at = self.position - self._start
        if at < 0 or at + count > len(self._held):
            self._start = self.position
            self._held = self._source.read_at(self.position, min(max(count, WINDOW_BYTES), self.left))
            at = 0
        self.position += count
        return self._held[at : at + count]

    def skip(self, count: int, what: str) -> None:
        """Move behind `count` bytes without reading them."""
        self.need(count, what)
        self.position += count

    def unpack(self, form: struct.Struct, what: str) -> int:
        """One number. `form` is a struct of one value."""
        value: int = form.unpack(self.take(form.size, what))[0]
        return value
