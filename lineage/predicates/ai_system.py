"""Our `ai-system:v1`: a system, who answers for it, what it is for, how risky it is, and what it consists of.

Source: docs/predicates/ai-system.md; the classes are those of Regulation (EU) 2024/1689.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from lineage.graph.model import ClaimKind, EdgeType, GraphDelta
from lineage.predicates.artifact_refs import Descriptor, opening, references, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import Supplier, rows, supplied
from lineage.predicates.wire import Wire, read, required
from lineage.trust.statement import Statement


class _System(Wire, frozen=True):
    name: str
    owner: str
    purpose: str
    risk_class: Literal["prohibited", "high", "limited", "minimal"]
    version: str = ""
    description: str = ""
    risk_reason: str = ""
    contact: str = ""
    supplier: Supplier | None = None
    models: tuple[Descriptor, ...] = ()
    datasets: tuple[Descriptor, ...] = ()
    components: tuple[Descriptor, ...] = ()


_DECODER = msgspec.json.Decoder(_System)


def _read(statement: Statement) -> _System:
    system = read(_DECODER, statement.predicate)
    for name in ("name", "owner", "purpose"):
        required(getattr(system, name), where=f"$.predicate.{name}")
    return system


def _facts(system: _System) -> Rows:
    """What is shown beside the name, in the same words on the node and on the statement."""
    return rows(
        ("Owner", system.owner),
        ("Purpose", system.purpose),
        ("Risk class", system.risk_class),
        ("Why this class", system.risk_reason),
        ("Contact", system.contact),
        ("Description", system.description),
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    system = _read(statement)
    delta, subjects = opening(statement, signer, role="system")
    parts = references(delta, system.models, where="$.predicate.models", role="model")
    parts += references(delta, system.datasets, where="$.predicate.datasets", role="dataset")
    parts += references(delta, system.components, where="$.predicate.components")
    facts = _facts(system)
    for subject in subjects:
        delta.claim(subject, ClaimKind.NAME, system.name)
        delta.claim(subject, ClaimKind.VERSION, system.version)
        for label, value in facts:
            delta.detail(subject, label, value)
        supplied(delta, subject, system.supplier, where="$.predicate.supplier")
        for part in parts:
            delta.edge(subject, EdgeType.WAS_DERIVED_FROM, part)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    system = _read(statement)
    return (
        rows(
            ("System", system.name),
            ("Version", system.version),
            ("Supplier", system.supplier.name if system.supplier else ""),
        )
        + _facts(system)
        + told_all("Model", system.models, default_role="model")
        + told_all("Dataset", system.datasets, default_role="dataset")
        + told_all("Component", system.components)
    )


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:ai-system:v1",),
    slug="ai-system",
    title="AI system",
    summary="Says who answers for a system, what it is for, how risky it is, and which models it uses.",
    project=_project,
    describe=_describe,
    schema="ai-system.json",
    example="ai-system.json",
    materials=("models",),
)
