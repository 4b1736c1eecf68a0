"""Hashes of the published tree, by which proofs are made: read from its tiles, each once."""

from __future__ import annotations

from lineage.services import tiles
from lineage.services.publish import TILE_WIDTH
from lineage.services.tile_hashes import Rows
from lineage.trust import merkle
from lineage.trust.merkle import HASH_BYTES


def reader(
    size: int, log: str | None = None, leaves: int | None = None, stored: bytes = b""
) -> merkle.GetHash:
    """Hashes of the published tree by level and number, from its tiles, each read once.

    `log`: as `tiles.rows`. `leaves`, `stored`: number and bytes of a full tile of leaves that was read.
    Getting one raises: LogIntegrityError where the database lacks it.
    """
    opened: dict[tuple[int, int], Rows] = {}

    def rows(level: int, number: int) -> Rows:
        inside = min(TILE_WIDTH, size // TILE_WIDTH**level - number * TILE_WIDTH)
        known = stored if level == 0 and number == leaves else b""
        return tiles.rows(level, number, inside, log, known)

    def get(level: int, number: int) -> bytes:
        tile_level, height = divmod(level, 8)
        place = tile_level, (number << height) // TILE_WIDTH
        found = opened.get(place)
        if found is None:
            found = opened[place] = rows(*place)
        start = number % (TILE_WIDTH >> height) * HASH_BYTES
        return found[height][start : start + HASH_BYTES]

    return get
