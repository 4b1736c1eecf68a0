"""Hashes of the published tree, by which proofs are made: read from its tiles, each once."""

from __future__ import annotations

from functools import lru_cache

from lineage.services import tiles
from lineage.services.publish import TILE_WIDTH
from lineage.trust import merkle


def reader(size: int, log: str | None = None) -> merkle.GetHash:
    """Hashes of the published tree by level and number, from its tiles, each read once.

    `log`: as `tiles.read`.
    """

    @lru_cache(maxsize=64)
    def tile(level: int, number: int) -> bytes:
        inside = size // TILE_WIDTH**level - number * TILE_WIDTH
        return tiles.read(level, number, min(TILE_WIDTH, inside), log)

    def get(level: int, number: int) -> bytes:
        tile_level, within = divmod(level, 8)
        first = number << within
        hashes = tile(tile_level, first // TILE_WIDTH)
        start = first % TILE_WIDTH * merkle.HASH_BYTES
        row = [hashes[at : at + 32] for at in range(start, start + (merkle.HASH_BYTES << within), 32)]
        while len(row) > 1:
            row = [merkle.node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        return row[0]

    return get
