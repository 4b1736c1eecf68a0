"""Leaf hashes made anew from what an archived entry says, never taken from a stored one.

Owns: that envelope, index and fields of an entry fit each other. Does not own: the tree (`restore_tree`).
"""

from __future__ import annotations

from lineage.errors import LogIntegrityError, MalformedError
from lineage.services.backup_format import EntryRow
from lineage.trust import merkle
from lineage.trust.digest import sha256_hex
from lineage.trust.leaf import Leaf


def leaf_hash(row: EntryRow, index: int) -> bytes:
    """32 raw bytes: the leaf hash of the entry that must stand at `index`.

    Of a redacted entry the digest alone is there, and the leaf commits to it.

    Raises: LogIntegrityError where it stands elsewhere, or the envelope is not the one it names.
    """
    if row.index != index:
        raise LogIntegrityError(f"entry {index} is missing from the log: {row.index} stands in its place")
    if (row.content is None) != (row.left is not None):
        raise LogIntegrityError(f"entry {index} has neither an envelope nor what a redaction leaves")
    if row.content is not None and sha256_hex(row.content) != row.envelope_digest:
        raise LogIntegrityError(f"the envelope of entry {index} is not the one that the log names")
    try:
        leaf = Leaf(
            row.kind,
            row.envelope_digest,
            row.statement_digest,
            row.received_us,
            tuple(row.key_ids.split(",")),
            row.policy_index,
        )
        return merkle.leaf_hash(leaf.encode())
    except (MalformedError, OverflowError) as error:
        raise LogIntegrityError(f"entry {index} can't be a leaf: {error}") from None
