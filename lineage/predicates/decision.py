"""Our `decision:v1` in the graph: keys become signer nodes, decisions about artifacts claims on them.

Does not own: the decision's form and what it does to the key ring (`trust.decisions`), what follows of a
claim (`graph.status_facts`, which takes them from decisions alone). A check policy makes no nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lineage.errors import MalformedError
from lineage.graph import check_policy
from lineage.graph.model import IDENTIFYING_ALGORITHMS, ClaimKind, GraphDelta, NodeKind, signer_key
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.delta import Delta
from lineage.predicates.members import rows
from lineage.predicates.wire import location
from lineage.trust import (
    artifact_decisions,
    decisions,
    epoch_decisions,
    forgetting_decisions,
    incident_decisions,
    layout_decisions,
    platform_decisions,
    signer_decisions,
    statement_decisions,
    taint_decisions,
)
from lineage.trust.artifact_decisions import ArtifactDecision
from lineage.trust.leaf import rfc3339
from lineage.trust.policy import KeyRing, Registration, Scopes
from lineage.trust.statement import Statement


def _ring(decision: decisions.Decision) -> KeyRing:
    """What the decision alone says of keys, without index and time."""
    index = 0 if decision.action == decisions.BOOTSTRAP else 1
    return decisions.apply(KeyRing(), decision, index, 0)


def _project(statement: Statement, signer: str) -> GraphDelta:
    decision = decisions.parse(statement)
    delta = Delta(signer)
    if decision.action in _ABOUT_NODES:
        _ABOUT_NODES[decision.action](delta, decision, statement)
        return delta.finished()
    if _without_nodes(decision, statement):
        return delta.finished()
    if decision.action in signer_decisions.APPLY:
        _about_signers(delta, decision, statement)
        return delta.finished()
    if decision.action in platform_decisions.APPLY:
        _about_platform(delta, decision, statement)
        return delta.finished()
    ring = _ring(decision)
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


def _without_nodes(decision: decisions.Decision, statement: Statement) -> bool:
    """Whether it is a decision that makes no nodes; what follows of one is not of its own graph.

    Raises: MalformedError where such a decision can't be read.
    """
    if decision.action == statement_decisions.WITHDRAW_STATEMENT:
        statement_decisions.read(decision, statement)
    elif decision.action in layout_decisions.ACTIONS:
        layout_decisions.read(decision, statement)
    elif decision.action in forgetting_decisions.ACTIONS:
        forgetting_decisions.read(decision, statement)
    elif decision.action == epoch_decisions.NEW_EPOCH:
        epoch_decisions.read(decision, statement)
    else:
        return False
    return True


def _about_signers(delta: Delta, decision: decisions.Decision, statement: Statement) -> None:
    for signer_id, name, _ in signer_decisions.named(decision):
        node = delta.node(signer_key(signer_id), NodeKind.SIGNER)
        delta.claim(node, ClaimKind.ATTESTED, statement.predicate_type)
        delta.claim(node, ClaimKind.NAME, name)


def _about_platform(delta: Delta, decision: decisions.Decision, statement: Statement) -> None:
    new = platform_decisions.named(decision)
    node = delta.node(signer_key(new.key.key_id), NodeKind.SIGNER)
    delta.claim(node, ClaimKind.ATTESTED, statement.predicate_type)
    delta.claim(node, ClaimKind.NAME, new.name)
    delta.detail(node, "Registered as", new.role)


def _about_artifact(delta: Delta, decision: decisions.Decision, statement: Statement) -> None:
    body = artifact_decisions.read(decision)
    scheme, _, value = body.artifact.partition(":")
    if scheme not in IDENTIFYING_ALGORITHMS or dict(statement.subjects[0].digests) != {scheme: value}:
        raise MalformedError(
            "The artifact is not the statement's subject.", where="$.predicate.body.artifact"
        )
    node = delta.node(body.artifact, NodeKind.ARTIFACT)
    for kind, text in _claims(decision.action, body):
        delta.claim(node, kind, text)


_KINDS = {
    **dict.fromkeys((*IDENTIFYING_ALGORITHMS, "uri"), NodeKind.ARTIFACT),
    "run": NodeKind.RUN,
    "hw": NodeKind.HARDWARE,
    "supplier": NodeKind.SUPPLIER,
    "place": NodeKind.PLACE,
}
"""What may be designated, or have its taint waived, by the scheme of its key."""
_TAINTS = {
    taint_decisions.DESIGNATE: ClaimKind.DESIGNATED,
    taint_decisions.CLEAR: ClaimKind.CLEARED,
    taint_decisions.WAIVE_TAINT: ClaimKind.UNTAINTED,
}


def _about_taint(delta: Delta, decision: decisions.Decision, statement: Statement) -> None:
    body = taint_decisions.read(decision, statement)
    kind = _KINDS.get(body.node.partition(":")[0])
    if kind is None:
        raise MalformedError(
            "Such a node is neither bad nor good by a decision.", where="$.predicate.body.node"
        )
    delta.claim(delta.node(body.node, kind), _TAINTS[decision.action], str(body.until_us))


def _about_incident(delta: Delta, decision: decisions.Decision, statement: Statement) -> None:
    """An incident is no node; what it says of one is that it is bad, or is no longer."""
    body = incident_decisions.read(decision, statement)
    if isinstance(body, incident_decisions.Opened):
        says, claim, until_us = body.designates, ClaimKind.DESIGNATED, body.until_us
    else:
        says, claim, until_us = body.clears, ClaimKind.CLEARED, 0
    if not says:
        return
    kind = _KINDS.get(body.node.partition(":")[0])
    if kind is None:
        raise MalformedError("Such a node is not designated as bad.", where="$.predicate.body.node")
    delta.claim(delta.node(body.node, kind), claim, str(until_us))


_ABOUT_NODES: Mapping[str, Callable[[Delta, decisions.Decision, Statement], None]] = {
    **dict.fromkeys(artifact_decisions.ACTIONS, _about_artifact),
    **dict.fromkeys(taint_decisions.ACTIONS, _about_taint),
    **dict.fromkeys(incident_decisions.ACTIONS, _about_incident),
}
"""By action."""


def _claims(action: str, body: ArtifactDecision) -> list[tuple[ClaimKind, str]]:
    if action == artifact_decisions.ADD_LOCATION:
        place = location(body.location)
        return [(ClaimKind.LOCATION, place), (ClaimKind.PLACED, place)]
    if action == artifact_decisions.WITHDRAW_LOCATION:
        return [(ClaimKind.WITHDRAWN, location(body.location))]
    if action == artifact_decisions.WAIVE:
        return [(ClaimKind.WAIVED, f"{body.finding} {artifact_decisions.until_us(body)}")]
    return [(ClaimKind.CRITICALITY, body.level)]


def _told_artifact(body: ArtifactDecision) -> Rows:
    return rows(
        ("Artifact", body.artifact),
        ("Location", body.location),
        ("Waived", body.finding),
        ("Until", body.until or ("for ever" if body.finding else "")),
        ("Criticality", body.level),
        ("Reason", body.reason),
    )


_ABOUT_STATEMENTS = (
    statement_decisions.WITHDRAW_STATEMENT,
    *layout_decisions.ACTIONS,
    *forgetting_decisions.ACTIONS,
    epoch_decisions.NEW_EPOCH,
    *taint_decisions.ACTIONS,
    *incident_decisions.ACTIONS,
)


def _told_subject(decision: decisions.Decision, statement: Statement) -> Rows:
    if decision.action in taint_decisions.ACTIONS:
        return rows(*taint_decisions.told(decision, statement))
    if decision.action in incident_decisions.ACTIONS:
        return rows(*incident_decisions.told(decision, statement))
    if decision.action == epoch_decisions.NEW_EPOCH:
        return rows(*epoch_decisions.told(decision, statement))
    if decision.action in forgetting_decisions.ACTIONS:
        return rows(*forgetting_decisions.told(decision, statement))
    if decision.action in layout_decisions.ACTIONS:
        layout = layout_decisions.read(decision, statement)
        return rows(("Layout", layout.name), ("Reason", layout.reason))
    body = statement_decisions.read(decision, statement)
    return rows(("Withdrawn statement", body.statement), ("Reason", body.reason))


def _told_policy(body: bytes) -> Rows:
    policy = check_policy.parse(body)
    told = [("Copies without a rule of their own", _every(policy.default))]
    for rule in policy.rules:
        of = [*sorted(rule.roles), *sorted(rule.levels), *rule.locations] or ["everything"]
        told.append((f"Rule {rule.name}", f"{', '.join(of)}: {_every(rule.schedule)}"))
    for each in policy.limits:
        gently = [
            f"{each.bytes_per_second:,} bytes a second" if each.bytes_per_second else "",
            f"{each.concurrency} at a time" if each.concurrency else "",
            "with quiet hours" if each.quiet else "",
        ]
        told.append((f"Limits of {each.location}", ", ".join(part for part in gently if part) or "none"))
    return rows(*told)


def _every(schedule: check_policy.Schedule) -> str:
    return ", ".join(f"{method} every {check_policy.period(seconds)}" for method, seconds in schedule.items())


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
    told = rows(
        ("Decision", decision.action),
        ("Person", decision.person),
        ("Approved by", decision.approver),
        ("Decided", decision.decided_at),
    )
    if decision.action in artifact_decisions.ACTIONS:
        return told + _told_artifact(artifact_decisions.read(decision))
    if decision.action == check_policy.ACTION:
        return told + _told_policy(decision.body)
    if decision.action in _ABOUT_STATEMENTS:
        return told + _told_subject(decision, statement)
    if decision.action in signer_decisions.APPLY:
        return told + rows(*signer_decisions.told(decision))
    if decision.action in platform_decisions.APPLY:
        return told + rows(*platform_decisions.told(decision))
    ring = _ring(decision)
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
