"""Our `supplier:v1`: who a supplier is. Its subject is the supplier's name.

Source: docs/predicates/supplier.md.
"""

from __future__ import annotations

import msgspec

from lineage.graph.model import EdgeType, GraphDelta, NodeKind
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import rows
from lineage.predicates.named_subject import named
from lineage.predicates.places import country, entered
from lineage.predicates.wire import Wire, read, required, web
from lineage.trust.statement import Statement


class _Supplier(Wire, frozen=True):
    name: str
    country: str = ""
    registration: str = ""
    contact: str = ""
    url: str = ""
    description: str = ""


_DECODER = msgspec.json.Decoder(_Supplier)


def _facts(supplier: _Supplier) -> Rows:
    required(supplier.name, where="$.predicate.name")
    return rows(
        ("Country", country(supplier.country, where="$.predicate.country")),
        ("Registration", supplier.registration),
        ("Contact", supplier.contact),
        ("Website", web(supplier.url, where="$.predicate.url")),
        ("Description", supplier.description),
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    supplier = read(_DECODER, statement.predicate)
    facts = _facts(supplier)
    delta, key = named(statement, signer, supplier.name, NodeKind.SUPPLIER)
    for label, value in facts:
        delta.detail(key, label, value)
    if supplier.country:
        delta.edge(key, EdgeType.AT_LOCATION, entered(delta, supplier.country))
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    supplier = read(_DECODER, statement.predicate)
    return rows(("Supplier", supplier.name)) + _facts(supplier)


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:supplier:v1",),
    slug="supplier",
    title="Supplier",
    summary="Says who a supplier is, and where it is registered.",
    project=_project,
    describe=_describe,
    schema="supplier.json",
    example="supplier.json",
)
