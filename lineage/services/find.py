"""One search over everything that has a page: nodes, keys, envelopes."""

from __future__ import annotations

import re

import msgspec

from lineage.errors import NotFoundError
from lineage.services import key_records, lineage, records
from lineage.services.as_of import AsOf
from lineage.services.key_records import KeyRecord
from lineage.services.lineage import NodePage
from lineage.services.records import AttestationRecord

SHOWN = 50
KEYS_SHOWN = 20
_HEX_64 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_NODE_KEY = re.compile(r"[A-Za-z0-9_]+:[0-9a-f]{8,}")


class Found(msgspec.Struct, frozen=True):
    """What a text finds. `attestation` is the envelope whose digest the text is."""

    nodes: NodePage
    keys: tuple[KeyRecord, ...]
    attestation: AttestationRecord | None


def find(text: str, as_of: AsOf, *, after: str | None = None) -> Found:
    """Names that contain `text`, or things whose digest, node key or key id it is."""
    text = text.strip()
    digest = _as_digest(text)
    nodes = (
        lineage.search(as_of, digest=digest, after=after, limit=SHOWN)
        if digest
        else lineage.search(as_of, text=text, after=after, limit=SHOWN)
    )
    keys = key_records.search(text, as_of, limit=KEYS_SHOWN)
    return Found(nodes, tuple(keys), _attestation(text.lower(), as_of))


def _as_digest(text: str) -> str | None:
    """The digest or node key that the text is, or None where it is a name."""
    lowered = text.lower()
    bare = _HEX_64.fullmatch(lowered)
    if bare:
        return f"sha256:{bare[1]}"
    scheme, separator, value = text.partition(":")
    key = f"{scheme}{separator}{value.lower()}"
    return key if _NODE_KEY.fullmatch(key) else None


def _attestation(text: str, as_of: AsOf) -> AttestationRecord | None:
    match = _HEX_64.fullmatch(text)
    if match is None:
        return None
    try:
        return records.attestation(match[1], as_of)
    except NotFoundError:
        return None
