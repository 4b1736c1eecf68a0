"""Subjects that are a name and no bytes: a supplier, a place.

in-toto wants a digest of every subject: it is the SHA-256 of the name's UTF-8, which is checked here, and is
also what the node key is made of.
"""

from __future__ import annotations

import hashlib

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, EdgeType, NodeKind
from lineage.predicates.delta import Delta
from lineage.predicates.wire import required
from lineage.trust.statement import Statement


def named(statement: Statement, signer_id: str, name: str, kind: NodeKind) -> tuple[Delta, str]:
    """A delta with the node that is called `name`, attested and attributed to the signer, and its key.

    Raises: MalformedError without a name, with several subjects, or where the digest isn't the name's.
    """
    required(name, where="$.predicate.name")
    if len(statement.subjects) != 1:
        raise MalformedError(f"A {kind}'s statement has exactly one subject.", where="$.subject")
    digest = hashlib.sha256(name.encode()).hexdigest()
    if statement.subjects[0].digests.get("sha256") != digest:
        raise MalformedError(
            "The subject's sha256 is not that of the name.",
            where="$.subject[0].digest.sha256",
            hint=f"Give the SHA-256 of the name in UTF-8: {digest}.",
        )
    delta = Delta(signer_id)
    key = delta.node(f"{kind}:{digest}", kind)
    delta.claim(key, ClaimKind.ATTESTED, statement.predicate_type)
    delta.claim(key, ClaimKind.NAME, name)
    delta.edge(key, EdgeType.WAS_ATTRIBUTED_TO, delta.signer)
    return delta, key
