"""Our `decision:v1` in the graph: the keys that a decision registers or revokes become signer nodes.

Does not own: the decision's form and what it does to the key ring (`trust.decisions`). The subjects of these
decisions are keys, so they are no artifacts here. Decisions about other things make no nodes yet.
"""

from __future__ import annotations

from lineage.graph.model import ClaimKind, GraphDelta, NodeKind, signer_key
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.delta import Delta
from lineage.predicates.members import rows
from lineage.trust import decisions
from lineage.trust.leaf import rfc3339
from lineage.trust.policy import KeyRing, Registration, Scopes
from lineage.trust.statement import Statement


def _ring(decision: decisions.Decision) -> KeyRing:
    """What the decision alone says of keys, without index and time."""
    index = 0 if decision.action == decisions.BOOTSTRAP else 1
    return decisions.apply(KeyRing(), decision, index, 0)


def _project(statement: Statement, signer: str) -> GraphDelta:
    decision = decisions.parse(statement)
    ring = _ring(decision)
    delta = Delta(signer)
    for key_id in (*ring.keys, *ring.revocations):
        delta.node(signer_key(key_id), NodeKind.SIGNER)
        delta.claim(signer_key(key_id), ClaimKind.ATTESTED, statement.predicate_type)
    for key_id, registration in ring.keys.items():
        delta.claim(signer_key(key_id), ClaimKind.NAME, registration.name)
        delta.detail(signer_key(key_id), "Registered as", registration.role)
    for key_id, revocations in ring.revocations.items():
        for revocation in revocations:
            delta.detail(signer_key(key_id), "Revoked", revocation.reason)
    return delta.finished()


def _may(scopes: Scopes) -> str:
    """A key's scopes as words."""
    if scopes.any:
        return "anything"
    if not scopes.predicate_types:
        return "nothing"
    limits = [
        f"{label}: {', '.join(values)}"
        for label, values in (
            ("statements", scopes.predicate_types),
            ("builders", scopes.builders),
            ("subjects", scopes.subjects),
            ("kinds", scopes.kinds),
        )
        if values
    ]
    return "; ".join(limits)


def _told_key(registration: Registration) -> Rows:
    window = (registration.not_before_us, registration.not_after_us)
    return rows(
        ("Key", f"{registration.name}, {registration.key.algorithm}, {registration.key.key_id}"),
        ("May say", _may(registration.scopes)),
        *(
            (label, rfc3339(us))
            for label, us in zip(("From", "Until"), window, strict=True)
            if us is not None
        ),
    )


def _describe(statement: Statement) -> Rows:
    decision = decisions.parse(statement)
    ring = _ring(decision)
    told = rows(("Decision", decision.action), ("Person", decision.person), ("Decided", decision.decided_at))
    for registration in ring.keys.values():
        told += _told_key(registration)
    for key_id, revocations in ring.revocations.items():
        for each in revocations:
            told += rows(
                ("Revoked key", key_id),
                ("From", rfc3339(each.from_us)),
                ("Reason", each.reason),
                ("Compromised", "yes" if each.compromised else "no"),
            )
    return told


PREDICATE = PredicateType(
    uris=(decisions.DECISION_TYPE,),
    slug="decision",
    title="Decision",
    summary="Records what a person decided about this platform, such as registering or revoking a key.",
    project=_project,
    describe=_describe,
)
