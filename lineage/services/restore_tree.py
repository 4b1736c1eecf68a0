"""The hash tree over restored entries, and the checkpoints that were signed over it.

Owns: tiles (made again from the leaves), and that each checkpoint is signed by the log's own key over exactly
these entries. Leaves come from the tables, so what was stored is what is proved. Does not own: the entries.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lineage.db.models import Checkpoint, Entry, Tile
from lineage.errors import LineageError, LogIntegrityError, MalformedError
from lineage.services.backup_format import CheckpointRow
from lineage.services.log_keys import LogKeys
from lineage.services.publish import FullTiles
from lineage.trust.merkle import Frontier

_CHECKPOINT = msgspec.json.Decoder(CheckpointRow)
_READ_ROWS = 10_000
_WRITE_ROWS = 500


class Tree:
    """Grows along the stored entries, from checkpoint to checkpoint. Call `finish` once."""

    def __init__(self, keys: LogKeys, size: int) -> None:
        """`keys` are the log's; `size` counts the stored entries."""
        self._keys = keys
        self._size = size
        self._frontier = Frontier()
        self._leaves = _leaves()
        self._full = FullTiles()
        self._tiles: list[Tile] = []
        self._checkpoints: list[Checkpoint] = []
        self._last = 0

    def add_checkpoint(self, line: bytes) -> int:
        """The next checkpoint, by size, which it returns. Raises: MalformedError, LogIntegrityError."""
        try:
            row = _CHECKPOINT.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MalformedError(f"The row of a checkpoint is not as it should be: {error}.") from None
        if not self._last < row.size <= self._size:
            raise LogIntegrityError(
                f"a checkpoint at {row.size} can't follow {self._last} in a log of {self._size} entries"
            )
        self._last = row.size
        self._grow(row.size, tiles=True)
        self._verify(row)
        self._checkpoints.append(
            Checkpoint(
                size=row.size,
                root_hash=self._frontier.root().hex(),
                note=row.note,
                frontier=b"".join(self._frontier.hashes),
                published_us=row.published_us,
            )
        )
        if len(self._checkpoints) >= _WRITE_ROWS:
            self._flush()
        return row.size

    def finish(self) -> bytes:
        """The root over all entries, 32 raw bytes."""
        self._flush()
        self._grow(self._size, tiles=False)
        return self._frontier.root()

    def _verify(self, row: CheckpointRow) -> None:
        try:
            signed = self._keys.verify(row.note, row.size)
        except LineageError as error:
            raise LogIntegrityError(
                f"the checkpoint at {row.size} does not verify: {error.message}"
            ) from None
        name = self._keys.name(row.size)
        if (signed.origin, signed.size, signed.root) != (name, row.size, self._frontier.root()):
            raise LogIntegrityError(f"the checkpoint at {row.size} was signed over other entries")

    def _grow(self, size: int, *, tiles: bool) -> None:
        while self._frontier.size < size:
            leaf = next(self._leaves, None)
            if leaf is None:
                raise LogIntegrityError(f"entry {self._frontier.size} was not stored")
            self._frontier = self._frontier.append(leaf)
            if tiles:
                self._fill(leaf)

    def _fill(self, leaf: bytes) -> None:
        for level, number, hashes in self._full.add(leaf):
            self._tiles.append(Tile(level=level, number=number, hashes=hashes))
        if len(self._tiles) >= _WRITE_ROWS:
            self._flush()

    def _flush(self) -> None:
        Tile.objects.bulk_create(self._tiles)
        Checkpoint.objects.bulk_create(self._checkpoints)
        self._tiles.clear()
        self._checkpoints.clear()


def _leaves() -> Iterator[bytes]:
    """The stored leaf hashes in order, up to the first that is missing."""
    start = 0
    while True:
        rows = Entry.objects.filter(index__gte=start, index__lt=start + _READ_ROWS).order_by("index")
        found = list(rows.values_list("index", "leaf_hash"))
        for place, (index, digest) in enumerate(found):
            if index != start + place:
                return
            yield bytes(digest)
        if len(found) < _READ_ROWS:
            return
        start += _READ_ROWS
