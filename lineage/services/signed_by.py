"""Who signed statements about a node, newest first: as a column beside a picture tells it.

Owns: putting that together from the graph's claims, without opening an envelope. Does not own: statements
with all that they say (`records`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineage import predicates
from lineage.graph import sql_claims
from lineage.graph.model import ClaimKind, signer_id
from lineage.services import belief, records
from lineage.services.lineage_closure import find
from lineage.services.lineage_nodes import Reader
from lineage.services.node_names import short_key


class Signed(msgspec.Struct, frozen=True):
    """A statement about the node. `key_id` is its signer's, `envelope` `sha256:<hex>`, `trust` a claim's."""

    key_id: str
    signer: str
    title: str
    envelope: str
    index: int
    trust: str


def newest(key: str, reader: Reader, limit: int) -> tuple[Sequence[Signed], int]:
    """The newest statements about it, and how many there are in all (of a hub: at least).

    Raises: NotFoundError where the node was not known at the moment.
    """
    number, _ = find(key, reader.as_of)
    claims = sql_claims.claims(number, ClaimKind.ATTESTED, reader.moment)
    shown = sorted(claims, key=lambda claim: claim.index, reverse=True)[:limit]
    digests = records.digests([claim.index for claim in shown], reader.as_of)
    told = [
        Signed(
            key_id=signer_id(claim.signer),
            signer=belief.registered_name(claim.signer, reader.ring) or short_key(claim.signer),
            title=known.title if (known := predicates.find(claim.value)) else claim.value,
            envelope=digests.get(claim.index, ""),
            index=claim.index,
            trust=claim.trust,
        )
        for claim in shown
    ]
    return told, len(claims)
