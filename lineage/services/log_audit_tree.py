"""The tree over the leaves of a part read again: its stored tiles, its checkpoints, and who signed those.

Owns: comparing what is stored with what the leaves make. What stands before the part nobody knows here: its
checkpoints say it, and whoever joins parts compares that. Does not own: the leaves (`log_audit_entries`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from lineage.db.models import Checkpoint, Cosignature, Tile
from lineage.errors import LineageError, LogIntegrityError
from lineage.services import kept_cosignatures, log_audit_entries, publish
from lineage.services.log_keys import LogKeys
from lineage.services.publish import TILE_WIDTH, tile_root
from lineage.trust import merkle
from lineage.trust.merkle import HASH_BYTES, Frontier, node_hash

PART = 2048
"""Entries of a part: full tiles, and a full subtree by itself."""


def stored_leaves(first: int, end: int) -> list[bytes]:
    """The leaf hashes from `first` to before `end` as stored. Raises: LogIntegrityError at a hole."""
    leaves: list[bytes] = []
    for index, digest in publish.leaf_hashes(first, end):
        if index != first + len(leaves):
            break
        if len(digest) != HASH_BYTES:
            raise LogIntegrityError(f"the leaf of entry {index} is no hash")
        leaves.append(digest)
    if len(leaves) < end - first:
        raise LogIntegrityError(f"entry {first + len(leaves)} is missing from the log")
    return leaves


@dataclass(slots=True)
class Told:
    """What the checkpoints of a part say; the names are those of `log_audit_part.PartRead`."""

    verified: int = 0
    cosignatures: int = 0
    strangers: int = 0
    unknown: str = ""
    spine: bytes | None = None
    newest: int = 0


class PartTree:
    """The subtree over the leaves from `first`, a multiple of PART, on; at most PART of them."""

    def __init__(self, first: int, leaves: Sequence[bytes]) -> None:
        self._first = first
        self._end = first + len(leaves)
        self._levels = [list(leaves)]
        while len(row := self._levels[-1]) > 1:
            self._levels.append([node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)])

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """Roots of the full subtrees that all its leaves make, the largest first."""
        return self._range(self._end - self._first)

    def _range(self, count: int) -> tuple[bytes, ...]:
        """The same of its first `count` leaves."""
        levels = range(count.bit_length() - 1, -1, -1)
        return tuple(self._levels[level][(count >> level) - 1] for level in levels if count >> level & 1)

    def compare_tiles(self, published: int) -> None:
        """Raises: LogIntegrityError where a tile that ends in this part is not what is below it."""
        end = min(self._end, published)
        first, last = self._first // TILE_WIDTH, end // TILE_WIDTH
        stored = _tiles(0, first, last)
        for number in range(first, last):
            at = number * TILE_WIDTH - self._first
            _same(0, number, stored.get(number), b"".join(self._levels[0][at : at + TILE_WIDTH]))
        if self._first < end == self._end:
            _compare_above(end)

    def verify_checkpoints(self, origin: str, policy_index: int, published: int) -> Told:
        """Those over the entries before the part and some of its own, the last one's not.

        Raises: LogIntegrityError for the first that is wrong.
        """
        rows = Checkpoint.objects.filter(
            size__gte=max(self._first, 1), size__lt=self._first + PART, size__lte=published
        )
        checkpoints, told = list(rows.order_by("size")), Told()
        kept = self._kept(published)
        if alone := kept.keys() - {row.size for row in checkpoints}:
            raise LogIntegrityError(f"a cosignature is of a checkpoint at {min(alone)}, which is not there")
        if not checkpoints:
            return told
        try:
            keys = LogKeys(origin, log_audit_entries.ring(origin, policy_index))
        except LineageError as error:
            # A damaged decision is named where it is read, which is in another part perhaps.
            told.unknown = error.message
            return told
        for row in checkpoints:
            spine = self._agrees(row, keys)
            if told.spine not in (None, spine):
                raise LogIntegrityError(f"the checkpoint at {row.size} was signed over other entries")
            told.spine, told.newest = spine, row.size
            told.verified += 1
            for each in kept.get(row.size, ()):
                _cosigned(bytes(row.note), each, told)
        return told

    def _agrees(self, row: Checkpoint, keys: LogKeys) -> bytes:
        """What the checkpoint says of everything before this part."""
        size, note, blob = row.size, bytes(row.note), bytes(row.frontier)
        try:
            signed = keys.verify(note, size)
        except LineageError as error:
            raise LogIntegrityError(f"the checkpoint at {size} does not verify: {error.message}") from None
        if (signed.origin, signed.size) != (keys.name(size), size) or size > self._end:
            raise LogIntegrityError(f"the checkpoint at {size} was signed for another log or size")
        before = self._first.bit_count() * HASH_BYTES
        own = b"".join(self._range(size - self._first))
        if len(blob) != before + len(own) or not blob.endswith(own):
            raise LogIntegrityError(f"what is stored beside the checkpoint at {size} is of another tree")
        hashes = tuple(blob[at : at + HASH_BYTES] for at in range(0, len(blob), HASH_BYTES))
        root = Frontier(size, hashes).root()
        if signed.root != root:
            raise LogIntegrityError(f"the checkpoint at {size} was signed over other entries")
        if row.root_hash != root.hex():
            raise LogIntegrityError(f"what is stored beside the checkpoint at {size} is of another tree")
        return blob[:before]

    def _kept(self, published: int) -> dict[int, list[Cosignature]]:
        """Cosignatures by the size of their checkpoint."""
        kept: dict[int, list[Cosignature]] = defaultdict(list)
        rows = Cosignature.objects.filter(
            size__gte=max(self._first, 1), size__lt=self._first + PART, size__lte=published
        )
        for row in rows.order_by("size", "witness", "key_hash"):
            kept[row.size].append(row)
        return kept


def _cosigned(note: bytes, row: Cosignature, told: Told) -> None:
    """What a witness signed. Of one who is configured no more nobody here has the key."""
    if kept_cosignatures.judge(note, row):
        told.cosignatures += 1
    else:
        told.strangers += 1


def _compare_above(size: int) -> None:
    """The tiles of higher levels that the entry just below `size` fills, each with those below it."""
    level = 1
    while size % TILE_WIDTH ** (level + 1) == 0:
        number = size // TILE_WIDTH ** (level + 1) - 1
        start = number * TILE_WIDTH
        below = _tiles(level - 1, start, start + TILE_WIDTH)
        for each in range(start, start + TILE_WIDTH):
            if len(below.get(each, b"")) != TILE_WIDTH * HASH_BYTES:
                raise LogIntegrityError(f"tile {level - 1}/{each} is missing")
        made = b"".join(tile_root(below[each]) for each in range(start, start + TILE_WIDTH))
        _same(level, number, _tiles(level, number, number + 1).get(number), made)
        level += 1


def _tiles(level: int, first: int, end: int) -> dict[int, bytes]:
    rows = Tile.objects.filter(level=level, number__gte=first, number__lt=end)
    return {number: bytes(hashes) for number, hashes in rows.values_list("number", "hashes")}


def _same(level: int, number: int, stored: bytes | None, made: bytes) -> None:
    if stored != made:
        what = "is missing" if stored is None else "is not of the log's leaves"
        raise LogIntegrityError(f"tile {level}/{number} {what}")


def before(size: int, get: merkle.GetHash) -> tuple[bytes, ...]:
    """Roots of the full subtrees of the first `size` leaves, the largest first, by the tiles."""
    levels = range(size.bit_length() - 1, -1, -1)
    return tuple(get(level, (size >> level) - 1) for level in levels if size >> level & 1)
