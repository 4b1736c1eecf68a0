"""The log as tlog-tiles: hash tiles and entry bundles of any size up to the published tree.

Owns: which bytes a tile has. Does not own: storing full tiles (`publish`), addresses (`api.log`).
Full hash tiles are read; partial ones are computed from the level below. Nothing beyond the newest
checkpoint is served, because nobody could check it. Source: C2SP tlog-tiles.
"""

from __future__ import annotations

from lineage.db.models import Entry
from lineage.errors import LogIntegrityError, NotFoundError
from lineage.graph.sql_query import fetch
from lineage.services import publish, records, tile_hashes
from lineage.services.publish import TILE_WIDTH, tile_root
from lineage.services.tile_hashes import Memory, Rows

MAX_LEVEL = 7  # 256^8 entries are beyond any log's size
HASH_BYTES = 32
_KEPT_LEAVES, _KEPT_ABOVE = 40, 80
"""Tiles whose rows are remembered, of level 0 and above it: 2 MB. 80 tiles above are of 5 million entries;
tiles of leaves are remembered for those who prove what was just published."""

_STORED = "SELECT hashes FROM log_tile WHERE level = %s AND number = %s"
_SEVERAL = "SELECT hashes FROM log_tile WHERE level = %s AND number >= %s AND number < %s ORDER BY number"
_LEAVES = 'SELECT leaf_hash FROM log_entry WHERE "index" >= %s AND "index" < %s ORDER BY "index"'

_leaves, _above = Memory(_KEPT_LEAVES), Memory(_KEPT_ABOVE)


def checkpoint() -> bytes:
    """The newest signed note, with the cosignatures that there are by now.

    Raises: NotFoundError before the first one.
    """
    from lineage.services import witnesses  # it reads tiles

    newest = publish.newest()
    if newest is None:
        raise NotFoundError("No checkpoint has been published yet.")
    return witnesses.cosigned(newest)


def hash_tile(level: int, number: int, width: int) -> bytes:
    """`width` hashes (1 to 256) of 32 bytes each, left to right.

    Raises: NotFoundError where the published tree does not have them; LogIntegrityError where it should, and
        the database lacks some.
    """
    _check(level, number, width)
    hashes = _read(level, number, width)
    if len(hashes) != width * HASH_BYTES:
        raise LogIntegrityError(f"tile {level}/{number} can't be filled: hashes of it are missing")
    return hashes


def rows(level: int, number: int, width: int, log: str | None = None, stored: bytes = b"") -> Rows:
    """The hashes inside a tile of a tree that is known to be published, and perhaps of more than `width`.

    `log`: the name in its checkpoint. Rows are then made once and remembered under it, because a log of that
    name never changes them. Not for whoever looks for what was altered. `stored`: a full tile's bytes, where
    they were read already.

    Raises: LogIntegrityError where the database lacks some.
    """
    memory = _above if level else _leaves
    known = None if log is None else memory.get((log, level, number))
    if known is not None and len(known[0]) >= width * HASH_BYTES:
        return known
    hashes = stored or _read(level, number, width, known[0] if known else b"")
    if len(hashes) != (TILE_WIDTH if stored else width) * HASH_BYTES:
        raise LogIntegrityError(f"tile {level}/{number} can't be filled: hashes of it are missing")
    made = tile_hashes.rows(hashes)
    if log is not None:
        memory.put((log, level, number), made)
    return made


def _read(level: int, number: int, width: int, known: bytes = b"") -> bytes:
    """The hashes of a tile, as far as they are there. `known`: its first ones."""
    if width == TILE_WIDTH:
        for (stored,) in fetch(_STORED, (level, number)):
            return bytes(stored)
    end = number * TILE_WIDTH + width
    start = number * TILE_WIDTH + len(known) // HASH_BYTES
    if level == 0:
        return known + b"".join(bytes(digest) for (digest,) in fetch(_LEAVES, (start, end)))
    found = fetch(_SEVERAL, (level - 1, start, end))
    return known + b"".join(tile_root(bytes(hashes)) for (hashes,) in found)


def forget() -> None:
    """Another log lies in the database now."""
    _leaves.clear()
    _above.clear()


def entry_bundle(number: int, width: int) -> bytes:
    """`width` leaves (1 to 256), each after its length as a big-endian uint16.

    Raises: NotFoundError where the published tree does not have them; LogIntegrityError as `hash_tile`.
    """
    _check(0, number, width)
    start = number * TILE_WIDTH
    entries = list(Entry.objects.filter(index__gte=start, index__lt=start + width).order_by("index"))
    if len(entries) != width:
        raise LogIntegrityError(f"entry bundle {number} can't be filled: entries of it are missing")
    return b"".join(
        len(leaf).to_bytes(2, "big") + leaf for leaf in (records.leaf(entry).encode() for entry in entries)
    )


def _check(level: int, number: int, width: int) -> None:
    size = publish.published_size()
    if not (0 <= level <= MAX_LEVEL and 1 <= width <= TILE_WIDTH):
        raise NotFoundError(f"There is no tile of level {level} and width {width}.")
    available = size // TILE_WIDTH**level
    if number * TILE_WIDTH + width > available:
        raise NotFoundError(f"The published tree has {size} entries; this tile is beyond it.")
