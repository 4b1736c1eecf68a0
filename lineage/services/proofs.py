"""Proofs that an entry is in the log, for whoever checks them offline: C2SP tlog-proof files.

Owns: gathering the hashes of a published tree. Does not own: the file's form (`trust.tlog_proof`).
"""

from __future__ import annotations

from django.db import connection

from lineage.db.digest_fields import key_text
from lineage.db.models import Checkpoint
from lineage.db.numbered_fields import kind_text
from lineage.errors import NotFoundError, UnavailableError
from lineage.services import log_hashes, records, witnesses
from lineage.trust import merkle
from lineage.trust.leaf import Leaf
from lineage.trust.tlog_proof import TlogProof

RETRY_SECONDS = 2
_ENTRY = (
    'SELECT "index", kind, envelope_digest, statement_digest, received_us, key_ids, policy_index'
    " FROM log_entry WHERE envelope_digest = %s"
)


def of_envelope(digest: str) -> bytes:
    """The proof of the entry with the envelope `sha256:<hex>`, by a checkpoint that is cosigned if possible.

    Raises: MalformedError, NotFoundError for an unknown digest; UnavailableError where no checkpoint covers
        the entry yet, which takes about a second.
    """
    with connection.cursor() as cursor:  # plain SQL: half of what a proof cost was the framework's writing it
        cursor.execute(_ENTRY, [bytes.fromhex(records.hex_digest(digest))])
        row = cursor.fetchone()
    if row is None:
        raise NotFoundError(f"No attestation has the digest {digest}.")
    index, kind, envelope, statement, received_us, key_ids, policy_index = row
    keys = tuple(key_text(key_ids).split(","))
    leaf = Leaf(kind_text(kind), envelope.hex(), statement.hex(), received_us, keys, policy_index)
    signed = witnesses.for_proof(index)
    if signed is None:
        raise UnavailableError(
            "No checkpoint covers this entry yet.",
            hint="Ask again in a moment; checkpoints are published every second or so.",
            retry_after=RETRY_SECONDS,
        )
    hashes = merkle.inclusion_proof(index, signed.size, log_hashes.reader(signed.size, _name(signed)))
    return TlogProof(index, hashes, witnesses.cosigned(signed), leaf.encode()).encode()


def _name(signed: Checkpoint) -> str:
    """Whose tree it is: the first line of a checkpoint. Source: C2SP tlog-checkpoint."""
    return bytes(signed.note).partition(b"\n")[0].decode()
