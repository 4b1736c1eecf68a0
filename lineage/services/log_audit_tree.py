"""The tree over the leaves read again: every stored tile, every checkpoint and who signed it.

Owns: comparing what is stored with what the leaves make. Does not own: the leaves (`log_audit_entries`).
"""

from __future__ import annotations

from collections.abc import Iterator

from lineage.db.models import Checkpoint, Tile
from lineage.errors import LineageError, LogIntegrityError
from lineage.services.log_keys import LogKeys
from lineage.services.publish import FullTiles
from lineage.trust.merkle import Frontier

_ROWS = 500


class Tree:
    """Grows leaf by leaf. Call `finish` once, with no leaf after it."""

    def __init__(self, keys: LogKeys | LineageError) -> None:
        """`keys` may be why the log's keys can't be told: the first checkpoint is then not verified."""
        self._keys = keys
        self._frontier = Frontier()
        self._filling = FullTiles()
        self._full: list[tuple[int, int, bytes]] = []
        self._tiles = 0
        self._published = Checkpoint.objects.order_by("-size").values_list("size", flat=True).first() or 0
        self._checkpoints = _checkpoints(self._published)
        self._next = next(self._checkpoints, None)
        self._unknown = ""
        self.checkpoints = 0

    @property
    def published(self) -> int:
        """Entries that a checkpoint covers."""
        return self._published

    def root(self) -> bytes:
        """32 raw bytes, over the leaves so far."""
        return self._frontier.root()

    def add(self, leaf: bytes) -> None:
        """Raises: LogIntegrityError where a checkpoint or tile that ends here is wrong."""
        self._frontier = self._frontier.append(leaf)
        if self._frontier.size <= self._published:
            self._full += self._filling.add(leaf)
            if len(self._full) >= _ROWS:
                self._compare()
        while self._next is not None and self._next.size <= self._frontier.size:
            self._agrees(self._next)
            self._next = next(self._checkpoints, None)

    def finish(self) -> None:
        """Raises: LogIntegrityError where there are more checkpoints or tiles than the entries make."""
        self._compare()
        if self._unknown:
            raise LogIntegrityError(f"no checkpoint could be verified: {self._unknown}")
        if self._next is not None:
            raise LogIntegrityError(
                f"the log has {self._frontier.size} entries, but a checkpoint covers {self._next.size}"
            )
        beyond = Tile.objects.count() - self._tiles
        if beyond > 0:
            raise LogIntegrityError(f"{beyond} stored tiles are of no entries that a checkpoint covers")

    def _agrees(self, row: Checkpoint) -> None:
        size, keys = row.size, self._keys
        if isinstance(keys, LineageError):
            self._unknown = keys.message
            return
        try:
            signed = keys.verify(bytes(row.note), size)
        except LineageError as error:
            raise LogIntegrityError(f"the checkpoint at {size} does not verify: {error.message}") from None
        root = self._frontier.root()
        if size != self._frontier.size or (signed.origin, signed.size) != (keys.name(size), size):
            raise LogIntegrityError(f"the checkpoint at {size} was signed for another log or size")
        if signed.root != root:
            raise LogIntegrityError(f"the checkpoint at {size} was signed over other entries")
        if row.root_hash != root.hex() or bytes(row.frontier) != b"".join(self._frontier.hashes):
            raise LogIntegrityError(f"what is stored beside the checkpoint at {size} is of another tree")
        self.checkpoints += 1

    def _compare(self) -> None:
        """The tiles that are full by now with those that are stored."""
        for level in sorted({level for level, _, _ in self._full}):
            made = {number: hashes for each, number, hashes in self._full if each == level}
            stored = Tile.objects.filter(level=level, number__in=list(made)).values_list("number", "hashes")
            there = {number: bytes(hashes) for number, hashes in stored}
            for number, hashes in made.items():
                if there.get(number) != hashes:
                    what = "is missing" if number not in there else "is not of the log's leaves"
                    raise LogIntegrityError(f"tile {level}/{number} {what}")
        self._tiles += len(self._full)
        self._full.clear()


def _checkpoints(published: int) -> Iterator[Checkpoint]:
    """In order of size; those that come while it is read are left to the next audit."""
    rows = Checkpoint.objects.filter(size__lte=published).order_by("size")
    last = 0
    while chunk := list(rows.filter(size__gt=last)[:_ROWS]):
        yield from chunk
        last = chunk[-1].size
