"""The predicate types that this platform understands: one file each, one line each in `PREDICATES`.

Owns: finding the type of a statement, projecting any statement, and what it claims as far as scopes judge it.
A type that is not listed is projected as a generic statement about its subjects, without lineage edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lineage.errors import MalformedError
from lineage.graph.model import ClaimKind, EdgeType, GraphDelta, NodeKind
from lineage.predicates import (
    adapter,
    ai_system,
    check,
    conversion,
    cyclonedx,
    dataset,
    dataset_transform,
    decision,
    deployment,
    deployment_end,
    distillation,
    evaluation,
    fine_tune,
    hardware_node,
    inventory,
    license,
    link,
    mlflow_observation,
    model,
    model_merge,
    model_signing,
    openlineage_observation,
    place,
    reference,
    release,
    runtime_trace,
    scai,
    slsa_provenance,
    slsa_provenance_v02,
    spdx,
    supplier,
    svr,
    test_results,
    training_run,
    verification_summary,
    vulns,
    witness,
)
from lineage.predicates.artifact_refs import opening
from lineage.predicates.base import FEW_BRACKETS, FEW_BYTES, SMALL_BYTES, PredicateType, Rows
from lineage.trust import strictjson
from lineage.trust.policy import Claimed
from lineage.trust.statement import Statement

PREDICATES: tuple[PredicateType, ...] = (
    training_run.PREDICATE,
    dataset.PREDICATE,
    model.PREDICATE,
    deployment.PREDICATE,
    hardware_node.PREDICATE,
    slsa_provenance.PREDICATE,
    link.PREDICATE,
    check.PREDICATE,
    inventory.PREDICATE,
    mlflow_observation.PREDICATE,
    openlineage_observation.PREDICATE,
    verification_summary.PREDICATE,
    decision.PREDICATE,
    cyclonedx.PREDICATE,
    spdx.PREDICATE,
    witness.PREDICATE,
    model_signing.PREDICATE,
    dataset_transform.PREDICATE,
    fine_tune.PREDICATE,
    adapter.PREDICATE,
    model_merge.PREDICATE,
    distillation.PREDICATE,
    conversion.PREDICATE,
    evaluation.PREDICATE,
    ai_system.PREDICATE,
    license.PREDICATE,
    supplier.PREDICATE,
    place.PREDICATE,
    deployment_end.PREDICATE,
    slsa_provenance_v02.PREDICATE,
    scai.PREDICATE,
    release.PREDICATE,
    test_results.PREDICATE,
    runtime_trace.PREDICATE,
    vulns.PREDICATE,
    svr.PREDICATE,
    reference.PREDICATE,
)


def by_uri(predicates: tuple[PredicateType, ...]) -> Mapping[str, PredicateType]:
    """Every URI with its type. Raises ValueError where two types share a URI or a slug."""
    found: dict[str, PredicateType] = {}
    slugs: set[str] = set()
    for predicate in predicates:
        if predicate.slug in slugs:
            raise ValueError(f"two predicate types are called {predicate.slug}")
        slugs.add(predicate.slug)
        for uri in predicate.uris:
            if uri in found:
                raise ValueError(f"{uri} is claimed by {found[uri].slug} and {predicate.slug}")
            found[uri] = predicate
    return MappingProxyType(found)


_BY_URI = by_uri(PREDICATES)


def find(uri: str) -> PredicateType | None:
    """The type with this `predicateType`, compared exactly; None where it is not known here."""
    return _BY_URI.get(uri)


def project(statement: Statement, signer: str) -> GraphDelta:
    """What the statement, signed by the key with id `signer` (bare hex), adds to the graph.

    Raises:
        MalformedError: the predicate is not what its type says.
        TooLargeError: it lists more than a statement may.
    """
    predicate = _BY_URI.get(statement.predicate_type)
    if predicate is None:
        return opening(statement, signer)[0].finished()
    return predicate.project(statement, signer)


def describe(statement: Statement) -> Rows:
    """The statement as (label, value) rows; none where the type is not known here. Raises as `project`."""
    predicate = _BY_URI.get(statement.predicate_type)
    return () if predicate is None else predicate.describe(statement)


def claimed(statement: Statement, delta: GraphDelta) -> Claimed:
    """What the statement claims, for `KeyRing.may`.

    Signer nodes don't count, nor a digest that is only said to be the same as another one of its artifact.
    """
    roles: dict[str, set[str]] = {}
    for claim in delta.claims:
        if claim.kind is ClaimKind.ROLE:
            roles.setdefault(claim.node, set()).add(claim.value)
    aliases = {edge.target for edge in delta.edges if edge.type is EdgeType.SAME_AS}
    kinds: set[str] = set()
    for key, kind in delta.nodes.items():
        if kind is NodeKind.ARTIFACT:
            kinds |= roles.get(key) or (set() if key in aliases else {str(kind)})
        elif kind is not NodeKind.SIGNER:
            kinds.add(str(kind))
    return Claimed(
        predicate_type=statement.predicate_type,
        subject_names=tuple(subject.name for subject in statement.subjects),
        builders=delta.builders,
        kinds=frozenset(kinds),
    )


def claimed_at_most(statement: Statement) -> Claimed | None:
    """`claimed` of what `project` says, without kinds; where that refuses it, a builder may be named still.

    For who asks only whether somebody may say all of it: a fifth of the cost. None where that can't be told
    without reading the whole of it, or `project` might find too much in it.
    """
    predicate = _BY_URI.get(statement.predicate_type)
    if predicate is None or predicate.speaks_for is None or not _names_few(statement.payload):
        return None
    try:
        builders = predicate.speaks_for(statement.predicate)
    except MalformedError:
        return None
    return Claimed(statement.predicate_type, tuple(subject.name for subject in statement.subjects), builders)


def _names_few(payload: bytes) -> bool:
    """Whether `project` surely finds no more in it than a statement may say."""
    return len(payload) <= SMALL_BYTES or (
        len(payload) <= FEW_BYTES and not strictjson.opens_more(payload, FEW_BRACKETS)
    )
