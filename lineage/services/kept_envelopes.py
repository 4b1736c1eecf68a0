"""The bytes of envelopes as the database has them, held to their digest at each reading.

Owns: finding them, and saying why they are not there. Does not own: what they say (`records`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator

from django.db import connection

from lineage.db import packing, prepared
from lineage.db.models import Entry, Envelope
from lineage.errors import LogIntegrityError, MalformedError, NotFoundError
from lineage.graph import sql_dialect
from lineage.services import redactions

_SEVERAL = "SELECT entry_id, content FROM log_envelope WHERE entry_id "
_LISTED = {"sqlite": "IN (SELECT value FROM json_each(%s))", "postgresql": "= ANY(%s::bigint[])"}


def envelope(digest: str) -> bytes:
    """The exact bytes of the envelope `sha256:<hex>`.

    Raises: MalformedError; NotFoundError; RedactedError where a decision took them away; LogIntegrityError
        where they are missing without one, or are others.
    """
    value = hex_digest(digest)
    content = kept(value)
    if content is not None:
        return content
    index = Entry.objects.filter(envelope_digest=value).values_list("index", flat=True).first()
    if index is None:
        raise NotFoundError(f"No attestation has the digest {digest}.")
    raise redactions.missing(value, index)


def kept(digest: str) -> bytes | None:
    """The envelope's bytes, None where they are not there.

    Whoever exchanged them in the database must not be believed until the next audit.
    Raises: LogIntegrityError where they have another digest (bare hex SHA-256).
    """
    content = Envelope.objects.filter(entry__envelope_digest=digest).values_list("content", flat=True).first()
    return None if content is None else _held(bytes(content), digest)


def several(entries: Collection[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
    """The same of some entries in one query, each held to its digest when its turn comes.

    So whoever stops before one that was exchanged is not kept from what he has.
    """
    indexes = [entry.index for entry in entries]
    listed = json.dumps(indexes) if connection.vendor == "sqlite" else sql_dialect.numbers(indexes)
    rows = prepared.fetch(_SEVERAL + _LISTED[connection.vendor], (listed,), size=max(indexes, default=0))
    found: dict[int, bytes] = dict(rows)
    for entry in entries:
        stored = found.get(entry.index)
        content = None if stored is None else packing.unpack(bytes(stored))
        yield entry, None if content is None else _held(content, entry.envelope_digest)


def _held(found: bytes, digest: str) -> bytes:
    if hashlib.sha256(found).hexdigest() != digest:
        raise LogIntegrityError(
            f"the envelope sha256:{digest} has other bytes in the database",
            hint="Somebody altered it, or a disk did: docs/audit.md says what to do.",
        )
    return found


def hex_digest(digest: str) -> str:
    """The hex of `sha256:<hex>`. Raises: MalformedError."""
    value = digest.removeprefix("sha256:")
    if len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise MalformedError("An attestation's digest is sha256:<64 lowercase hex digits>.", where="digest")
    return value
