"""SPDX documents about a subject: what it is composed of, and what those things were made from.

The element that the document describes is the statement's subject, unless it has a digest that the subject
has not, or several are described; then the subject is made from each. A relationship is lineage where it says
that one end is composed of, made from or trained on the other. Elements that no such relationship names are
only listed, and make no node.

Source: in-toto attestation, spec/predicates/spdx.md; SPDX 2.3 clause 11; SPDX 3.0.1, RelationshipType.
"""

from __future__ import annotations

import re

from lineage.graph.model import EdgeType, GraphDelta
from lineage.predicates import spdx2_reading, spdx3_reading
from lineage.predicates.artifact_refs import opening
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.composition import derived, is_about
from lineage.predicates.delta import Delta
from lineage.predicates.members import rows
from lineage.predicates.spdx_parts import Document, Element, Parts, Relation
from lineage.predicates.wire import clean
from lineage.trust.statement import Statement

MADE_FROM = frozenset({"contains", "dependsOn", "descendantOf", "hasStaticLink", "patchedBy", "trainedOn"})
"""The source was made from the target. What is linked dynamically is no part, and is written both ways."""

MADE_INTO = frozenset({"ancestorOf", "expandsTo", "generates", "hasDistributionArtifact"})
"""The target was made from the source."""

NOT_DELIVERED = frozenset({"development", "test"})
"""Scopes of relationships that say nothing of what is delivered."""

_TESTED = "testedOn"
_JSON_LD = re.compile(rb'"@(?:context|graph)"\s*:')


def _document(statement: Statement) -> Document:
    """Raises MalformedError, TooLargeError."""
    if _JSON_LD.search(statement.predicate) and b'"spdxVersion"' not in statement.predicate:
        return spdx3_reading.document(statement)
    return spdx2_reading.document(statement)


def _project(statement: Statement, signer: str) -> GraphDelta:
    document = _document(statement)
    delta, subjects = opening(statement, signer)
    parts = Parts(delta, statement, document)
    apart = []
    for root in document.roots:
        element = document.elements[root]
        same = is_about(statement, element.digests, where=element.where)
        if not element.is_build and same and (element.digests or len(document.roots) == 1):
            parts.is_subject(root, subjects)
        elif not element.is_build:
            apart.append(root)
    for root in apart:
        derived(delta, subjects, parts.of(root))
    for relation in document.relations:
        _related(delta, parts, document, relation)
    return delta.finished()


def _related(delta: Delta, parts: Parts, document: Document, relation: Relation) -> None:
    source, target = document.elements.get(relation.source), document.elements.get(relation.target)
    if source is not None and source.is_build:
        _built(delta, parts, relation)
    elif target is not None and target.is_build:
        return  # what has a build as its target is no lineage: configures, invokedBy …
    elif source is not None and relation.type == _TESTED and target is not None:
        for key in parts.of(relation.source):
            delta.detail(key, "Tested on", target.name)
    elif relation.scope not in NOT_DELIVERED and source is not None:
        if relation.type in MADE_FROM:
            derived(delta, parts.of(relation.source), parts.of(relation.target))
        elif relation.type in MADE_INTO:
            derived(delta, parts.of(relation.target), parts.of(relation.source))


def _built(delta: Delta, parts: Parts, relation: Relation) -> None:
    """A build's inputs and outputs."""
    if relation.type == "hasInput":
        for run in parts.of(relation.source):
            for key in parts.of(relation.target):
                delta.edge(run, EdgeType.USED, key)
    elif relation.type in ("hasOutput", "generates"):
        for run in parts.of(relation.source):
            for key in parts.of(relation.target):
                delta.edge(key, EdgeType.WAS_GENERATED_BY, run)


def _describe(statement: Statement) -> Rows:
    document = _document(statement)
    elements = list(document.elements.values())
    facts = rows(
        ("Format", document.version),
        ("Document", document.name),
        ("Written", document.created),
        ("About", [document.elements[root].name for root in document.roots[:5]]),
        ("Elements", len(elements)),
        ("Relationships", len(document.relations)),
    )
    shown = tuple(("Element", clean(_told(each))) for each in elements[:20])
    more = (("Element", f"and {len(elements) - 20:,} more"),) if len(elements) > 20 else ()
    return facts + shown + more


def _told(element: Element) -> str:
    version = f" {element.version}" if element.version else ""
    kind = f" ({element.role})" if element.role else ""
    if element.is_build:
        return f"{element.name or element.id} (build)"
    digest = "with a digest" if element.digests else "no digest: a gap"
    return f"{element.name or element.id}{version}{kind}, {digest}"


PREDICATE = PredicateType(
    uris=(
        "https://spdx.dev/Document",
        *(f"https://spdx.dev/Document/{version}" for version in ("v2.2", "v2.3", "v3", "v3.0", "v3.0.1")),
    ),
    slug="spdx",
    title="SPDX",
    summary="Lists what something is composed of, and what from, as an SPDX document.",
    project=_project,
    describe=_describe,
    example="spdx.json",
)
