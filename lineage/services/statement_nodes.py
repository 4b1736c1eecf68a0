"""What one statement names besides its subjects: materials, the run, machines, suppliers.

Read from the statement itself, so that it answers the same whatever the graph has heard since. Does not own:
what a predicate means (`lineage.predicates`) or how far it is believed (`services.lineage`).
"""

from __future__ import annotations

import msgspec

from lineage import predicates
from lineage.errors import MalformedError, TooLargeError
from lineage.graph.model import ClaimKind, EdgeType, GraphDelta, NodeKind, artifact_keys
from lineage.services import records
from lineage.services.as_of import AsOf
from lineage.trust import statement
from lineage.trust.opened import open_signed

MAX_NAMED = 500

RELATIONS = {
    EdgeType.USED: "Used",
    EdgeType.WAS_DERIVED_FROM: "Derived from",
    EdgeType.WAS_GENERATED_BY: "Made by",
    EdgeType.WAS_ASSOCIATED_WITH: "Ran on",
    EdgeType.WAS_ATTRIBUTED_TO: "From",
    EdgeType.AT_LOCATION: "Located at",
}
"""How the statement brings a node in, by the edge that points at it. Files and aliases are left out."""


class NamedNode(msgspec.Struct, frozen=True):
    """A node that the statement names; `relation` is a word of RELATIONS, `name` the signer's, unproven."""

    key: str
    kind: str
    name: str
    relation: str
    roles: tuple[str, ...] = ()


def named(digest: str, as_of: AsOf) -> tuple[NamedNode, ...]:
    """What the statement in the envelope `sha256:<hex>` names, at most MAX_NAMED, in the statement's order.

    Empty where its predicate can't be digested or it was redacted: the attestation's record says why.

    Raises: MalformedError, NotFoundError for a digest that is none or unknown.
    """
    record = records.attestation(digest, as_of)
    if record.redacted is not None:
        return ()
    envelope = open_signed(records.envelope(digest)).envelope
    parsed = statement.parse(envelope.payload_type, envelope.payload)
    signer = record.signers[0].key_id if record.signers else ""
    try:
        delta = predicates.project(parsed, signer)
    except (MalformedError, TooLargeError):
        return ()
    own = {key for subject in parsed.subjects for key in artifact_keys(subject.digests)}
    return _named(delta, own)


def _named(delta: GraphDelta, own: set[str]) -> tuple[NamedNode, ...]:
    names: dict[str, str] = {}
    roles: dict[str, list[str]] = {}
    for claim in delta.claims:
        if claim.kind is ClaimKind.NAME:
            names.setdefault(claim.node, claim.value)
        elif claim.kind is ClaimKind.ROLE:
            roles.setdefault(claim.node, []).append(claim.value)
    found: dict[str, NamedNode] = {}
    for edge in delta.edges:
        key, kind = edge.target, delta.nodes[edge.target]
        if edge.type in RELATIONS and key not in own and kind is not NodeKind.SIGNER:
            node = NamedNode(key, kind, names.get(key, ""), RELATIONS[edge.type], tuple(roles.get(key, ())))
            found.setdefault(key, node)
    return tuple(found.values())[:MAX_NAMED]
