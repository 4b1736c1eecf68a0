"""Our `adapter:v1`: what an adapter (LoRA …) is, and the model that it works on.

How it was trained is for `fine-tune:v1`. Source: docs/predicates/adapter.md.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from lineage.graph.model import ClaimKind, EdgeType, GraphDelta
from lineage.predicates.artifact_refs import Descriptor, opening, references, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import Supplier, number, rows, supplied
from lineage.predicates.wire import Wire, read, required
from lineage.trust.statement import Statement


class _Adapter(Wire, frozen=True):
    name: str
    base_model: Descriptor
    version: str = ""
    license: str = ""
    description: str = ""
    method: str = ""
    rank: Annotated[int, msgspec.Meta(ge=1)] | None = None
    alpha: float | None = None
    target_modules: tuple[str, ...] = ()
    supplier: Supplier | None = None
    datasets: tuple[Descriptor, ...] = ()


_DECODER = msgspec.json.Decoder(_Adapter)


def _facts(adapter: _Adapter) -> Rows:
    """What is shown beside the name, in the same words on the node and on the statement."""
    return rows(
        ("Description", adapter.description),
        ("Method", adapter.method),
        ("Rank", adapter.rank),
        ("Alpha", number(adapter.alpha)),
        ("Target modules", adapter.target_modules),
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    adapter = read(_DECODER, statement.predicate)
    name = required(adapter.name, where="$.predicate.name")
    delta, subjects = opening(statement, signer, role="adapter")
    origins = references(delta, (adapter.base_model,), where="$.predicate.baseModel", role="model")
    origins += references(delta, adapter.datasets, where="$.predicate.datasets", role="dataset")
    facts = _facts(adapter)
    for subject in subjects:
        delta.claim(subject, ClaimKind.NAME, name)
        delta.claim(subject, ClaimKind.VERSION, adapter.version)
        delta.claim(subject, ClaimKind.LICENSE, adapter.license)
        for label, value in facts:
            delta.detail(subject, label, value)
        supplied(delta, subject, adapter.supplier, where="$.predicate.supplier")
        for origin in origins:
            delta.edge(subject, EdgeType.WAS_DERIVED_FROM, origin)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    adapter = read(_DECODER, statement.predicate)
    return (
        rows(
            ("Adapter", adapter.name),
            ("Version", adapter.version),
            ("License", adapter.license),
            ("Supplier", adapter.supplier.name if adapter.supplier else ""),
        )
        + _facts(adapter)
        + told_all("Works on", (adapter.base_model,), default_role="model")
        + told_all("Trained on", adapter.datasets, default_role="dataset")
    )


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:adapter:v1",),
    slug="adapter",
    title="Adapter",
    summary="Says what an adapter is, and which model it works on.",
    project=_project,
    describe=_describe,
    schema="adapter.json",
    example="adapter.json",
    materials=("datasets",),
)
