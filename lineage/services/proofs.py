"""Proofs that an entry is in the log, for whoever checks them offline: C2SP tlog-proof files.

Owns: gathering the hashes of a published tree. Does not own: the file's form (`trust.tlog_proof`).
"""

from __future__ import annotations

from functools import lru_cache

from lineage.db.models import Checkpoint, Entry
from lineage.errors import NotFoundError, UnavailableError
from lineage.services import records, tiles
from lineage.services.publish import TILE_WIDTH
from lineage.trust import merkle
from lineage.trust.tlog_proof import TlogProof

RETRY_SECONDS = 2


def of_envelope(digest: str) -> bytes:
    """The proof of the entry with the envelope `sha256:<hex>`, by the newest checkpoint.

    Raises: MalformedError, NotFoundError for an unknown digest; UnavailableError where no checkpoint covers
        the entry yet, which takes about a second.
    """
    entry = Entry.objects.filter(envelope_digest=records.hex_digest(digest)).first()
    if entry is None:
        raise NotFoundError(f"No attestation has the digest {digest}.")
    newest = Checkpoint.objects.order_by("-size").first()
    if newest is None or newest.size <= entry.index:
        raise UnavailableError(
            "No checkpoint covers this entry yet.",
            hint="Ask again in a moment; checkpoints are published every second or so.",
            retry_after=RETRY_SECONDS,
        )
    hashes = merkle.inclusion_proof(entry.index, newest.size, _reader(newest.size))
    return TlogProof(entry.index, hashes, bytes(newest.note), records.leaf(entry).encode()).encode()


def _reader(size: int) -> merkle.GetHash:
    """Hashes of the published tree by level and number, from its tiles, each read once."""

    @lru_cache(maxsize=64)
    def tile(level: int, number: int) -> bytes:
        inside = size // TILE_WIDTH**level - number * TILE_WIDTH
        return tiles.hash_tile(level, number, min(TILE_WIDTH, inside))

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
