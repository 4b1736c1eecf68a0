"""What decisions of the log say, in a line each: for lists of them.

Owns: reading some at once. Does not own: a decision's form (`trust.decisions`) or its words
(`predicates.describe`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from lineage import predicates
from lineage.db.models import Envelope
from lineage.errors import MalformedError, TooLargeError
from lineage.predicates.base import Rows
from lineage.trust import dsse, statement

_BESIDE = frozenset({"Decision", "Decided"})
"""Rows that a list says elsewhere: what was decided as its heading, and when."""


def told(digests: Collection[str]) -> dict[str, tuple[str, Rows]]:
    """Of envelopes (`sha256:<hex>`) with a decision: what was decided ("Revoke key"), and the rest in rows.

    What was redacted, altered or can't be read is left out.
    """
    names = [digest.removeprefix("sha256:") for digest in digests]
    found = {}
    for name, content in Envelope.objects.filter(entry__envelope_digest__in=names).values_list(
        "entry__envelope_digest", "content"
    ):
        said = _told(name, bytes(content))
        if said is not None:
            found[f"sha256:{name}"] = said
    return found


def _told(digest: str, content: bytes) -> tuple[str, Rows] | None:
    if hashlib.sha256(content).hexdigest() != digest:
        return None
    try:
        envelope = dsse.parse(content)
        rows = predicates.describe(statement.parse(envelope.payload_type, envelope.payload))
    except (MalformedError, TooLargeError):
        return None
    action = dict(rows).get("Decision", "")
    if not action:
        return None
    return action.replace("-", " ").capitalize(), tuple(row for row in rows if row[0] not in _BESIDE)
