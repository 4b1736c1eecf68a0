"""The log as tlog-tiles: hash tiles and entry bundles of any size up to the published tree.

Owns: which bytes a tile has. Does not own: storing full tiles (`publish`), addresses (`api.log`).
Full hash tiles are read; partial ones are computed from the level below. Nothing beyond the newest
checkpoint is served, because nobody could check it. Source: C2SP tlog-tiles.
"""

from __future__ import annotations

from lineage.db.models import Entry, Tile
from lineage.errors import NotFoundError
from lineage.services import publish, records
from lineage.services.publish import TILE_WIDTH, tile_root

MAX_LEVEL = 7  # 256^8 entries are beyond any log's size


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

    Raises: NotFoundError where the published tree does not have them.
    """
    _check(level, number, width)
    start = number * TILE_WIDTH
    if width == TILE_WIDTH:
        stored = Tile.objects.filter(level=level, number=number).values_list("hashes", flat=True).first()
        if stored is not None:
            return bytes(stored)
    if level == 0:
        leaves = Entry.objects.filter(index__gte=start, index__lt=start + width).order_by("index")
        return b"".join(bytes(digest) for digest in leaves.values_list("leaf_hash", flat=True))
    below = Tile.objects.filter(level=level - 1, number__gte=start, number__lt=start + width).order_by(
        "number"
    )
    return b"".join(tile_root(bytes(hashes)) for hashes in below.values_list("hashes", flat=True))


def entry_bundle(number: int, width: int) -> bytes:
    """`width` leaves (1 to 256), each after its length as a big-endian uint16.

    Raises: NotFoundError where the published tree does not have them.
    """
    _check(0, number, width)
    start = number * TILE_WIDTH
    entries = Entry.objects.filter(index__gte=start, index__lt=start + width).order_by("index")
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
