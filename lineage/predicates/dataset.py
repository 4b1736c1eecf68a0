"""Our `dataset:v1`: what a dataset is, where it comes from, and what one should know before using it.

Source: docs/predicates/dataset.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from lineage.graph.model import ClaimKind, EdgeType, GraphDelta
from lineage.predicates.artifact_refs import Descriptor, opening, references, told_all
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import Place, Supplier, placed, rows, supplied, told_place
from lineage.predicates.wire import Wire, day, read, required
from lineage.trust.statement import Statement

PersonalData = Literal["", "none", "anonymised", "pseudonymised", "personal", "special-category"]


class _Dataset(Wire, frozen=True):
    name: str
    version: str = ""
    license: str = ""
    description: str = ""
    supplier: Supplier | None = None
    sources: tuple[Descriptor, ...] = ()
    place: Place | None = None
    record_count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    personal_data: PersonalData = ""
    legal_basis: str = ""
    collected_from: str = ""
    collected_until: str = ""
    languages: tuple[str, ...] = ()


_DECODER = msgspec.json.Decoder(_Dataset)


def _facts(dataset: _Dataset) -> Rows:
    """What is shown beside the name, in the same words on the node and on the statement."""
    first = day(dataset.collected_from, where="$.predicate.collectedFrom")
    last = day(dataset.collected_until, where="$.predicate.collectedUntil")
    return rows(
        ("Description", dataset.description),
        ("Records", dataset.record_count),
        ("Personal data", dataset.personal_data),
        ("Legal basis", dataset.legal_basis),
        ("Collected from", first),
        ("Collected until", last),
        ("Languages", dataset.languages),
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    dataset = read(_DECODER, statement.predicate)
    name = required(dataset.name, where="$.predicate.name")
    delta, subjects = opening(statement, signer, role="dataset")
    sources = references(delta, dataset.sources, where="$.predicate.sources", role="dataset")
    facts = _facts(dataset)
    for subject in subjects:
        delta.claim(subject, ClaimKind.NAME, name)
        delta.claim(subject, ClaimKind.VERSION, dataset.version)
        delta.claim(subject, ClaimKind.LICENSE, dataset.license)
        for label, value in facts:
            delta.detail(subject, label, value)
        supplied(delta, subject, dataset.supplier, where="$.predicate.supplier")
        placed(delta, subject, dataset.place, where="$.predicate.place")
        for source in sources:
            delta.edge(subject, EdgeType.WAS_DERIVED_FROM, source)
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    dataset = read(_DECODER, statement.predicate)
    heading = rows(
        ("Dataset", dataset.name),
        ("Version", dataset.version),
        ("License", dataset.license),
        ("Supplier", dataset.supplier.name if dataset.supplier else ""),
        ("Place", told_place(dataset.place)),
    )
    return heading + _facts(dataset) + told_all("Derived from", dataset.sources, default_role="dataset")


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:dataset:v1",),
    slug="dataset",
    title="Dataset",
    summary="Says what a dataset is, who supplied it, under which license, and what it was derived from.",
    project=_project,
    describe=_describe,
    schema="dataset.json",
    example="dataset.json",
    materials=("sources",),
)
