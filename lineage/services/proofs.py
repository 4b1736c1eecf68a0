"""Proofs that an entry is in the log, for whoever checks them offline: C2SP tlog-proof files.

Owns: gathering the hashes of a published tree, and that no proof is given which does not hold: the signature
of the checkpoint and the way to its root are verified here first. Does not own: the file's form
(`trust.tlog_proof`), which checkpoint is the better one (`witnesses`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lineage.db import prepared
from lineage.db.digest_fields import key_text
from lineage.db.numbered_fields import kind_text
from lineage.errors import LineageError, LogIntegrityError, NotFoundError, UnavailableError
from lineage.services import keyring, log_hashes, log_head, records, tiles, witnesses
from lineage.services.log_keys import LogKeys
from lineage.services.publish import TILE_WIDTH
from lineage.services.witnesses import Published
from lineage.trust import epochs, merkle
from lineage.trust.leaf import Leaf
from lineage.trust.tlog_proof import TlogProof

RETRY_SECONDS = 2
_PROVED = (
    'SELECT e."index", e.kind, e.envelope_digest, e.statement_digest, e.received_us, e.key_ids,'
    " e.policy_index, c.size, c.note, c.published_us, (SELECT max(w.size) FROM log_cosignature w"
    ' WHERE w.size > e."index" AND w.size <= c.size), t.hashes FROM log_entry e'
    " LEFT JOIN log_checkpoint c ON c.size = (SELECT max(size) FROM log_checkpoint)"
    ' LEFT JOIN log_tile t ON t.level = 0 AND t.number = e."index" / 256 WHERE e.envelope_digest = %s'
)
"""The entry, the newest checkpoint, the newest cosigned one over the entry, the full tile that the entry is
in: what a proof needs beside hashes that are remembered."""


_size = 0
"""Of the newest checkpoint that a proof here was asked beside."""


@dataclass(frozen=True, slots=True)
class _Tree:
    """What a verified checkpoint says. `since`: the size at which the epoch began whose name it carries."""

    name: str
    size: int
    root: bytes
    since: int


def of_envelope(digest: str) -> bytes:
    """The proof of the entry with the envelope `sha256:<hex>`, by a checkpoint that is cosigned if possible.

    Raises: MalformedError, NotFoundError for an unknown digest; UnavailableError where no checkpoint covers
        the entry yet, which takes about a second; LogIntegrityError where what is stored makes no proof.
    """
    global _size  # noqa: PLW0603 a hint for the database
    found = prepared.fetch(_PROVED, (bytes.fromhex(records.hex_digest(digest)),), size=_size)
    if not found:
        raise NotFoundError(f"No attestation has the digest {digest}.")
    index, *said, size, note, published_us, cosigned, tile = found[0]
    if size is None or size <= index:
        raise UnavailableError(
            "No checkpoint covers this entry yet.",
            hint="Ask again in a moment; checkpoints are published every second or so.",
            retry_after=RETRY_SECONDS,
        )
    _size = size
    signed, lines = Published(size, bytes(note), published_us), b""
    tree = _verified(signed.note, size)
    if cosigned is not None:
        signed = witnesses.for_proof(signed, cosigned, tree.since)
        tree = _verified(signed.note, signed.size)
        lines = b"".join(witnesses.cosignatures(signed.size))
    leaf = _leaf(*said)
    hashes = _path(index, leaf, tree, bytes(tile or b""))
    return TlogProof(index, hashes, signed.note + lines, leaf).encode()


def _leaf(
    kind: object, envelope: bytes, statement: bytes, received_us: int, key_ids: bytes, policy_index: int
) -> bytes:
    """From what is stored of an entry."""
    keys = tuple(key_text(bytes(key_ids)).split(","))
    said = kind_text(kind), bytes(envelope).hex(), bytes(statement).hex()
    return Leaf(*said, received_us, keys, policy_index).encode()


@lru_cache(64)
def _verified(note: bytes, size: int) -> _Tree:
    """What the log's key signed: verified once for all proofs by it. Raises: LogIntegrityError."""
    head = log_head.read()
    if head is None:
        raise LogIntegrityError("a checkpoint is there, but no log")
    ring = keyring.by_policy(head.origin, head.policy_index)
    epoch = epochs.at(head.origin, ring.epochs, size)
    try:
        signed = LogKeys(head.origin, ring).verify(note, size)
    except LineageError as error:
        raise LogIntegrityError(f"the checkpoint at {size} does not verify: {error.message}") from None
    if (signed.origin, signed.size) != (epoch.origin, size):
        raise LogIntegrityError(f"the checkpoint at {size} was signed for another log or size")
    return _Tree(signed.origin, size, signed.root, epoch.from_size)


def _path(index: int, leaf: bytes, tree: _Tree, tile: bytes) -> tuple[bytes, ...]:
    """The hashes that lead from the leaf to the root. `tile`: the full one that the leaf is in, if any.

    Raises: LogIntegrityError where what is stored leads elsewhere.
    """
    digest = merkle.leaf_hash(leaf)
    for _ in range(2):
        reader = log_hashes.reader(tree.size, tree.name, index // TILE_WIDTH, tile)
        hashes = merkle.inclusion_proof(index, tree.size, reader)
        if merkle.verify_inclusion(index, tree.size, digest, hashes, tree.root):
            return hashes
        tiles.forget()  # it may be of a log that lay in this database before
    raise LogIntegrityError(
        f"entry {index} is not in the tree of {tree.size} entries that the checkpoint commits to",
        hint="Somebody altered what is stored, or a disk did: docs/audit.md says what to do.",
    )
