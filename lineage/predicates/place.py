"""Our `place:v1`: where a site lies, and who runs it. Its subject is the site's name.

Source: docs/predicates/place.md.
"""

from __future__ import annotations

import msgspec

from lineage.graph.model import EdgeType, GraphDelta, NodeKind
from lineage.predicates.base import PredicateType, Rows
from lineage.predicates.members import Supplier, rows, supplied
from lineage.predicates.named_subject import named
from lineage.predicates.places import country, entered, region
from lineage.predicates.wire import Wire, read, required
from lineage.trust.statement import Statement


class _Place(Wire, frozen=True):
    name: str
    country: str
    region: str = ""
    address: str = ""
    description: str = ""
    operator: Supplier | None = None


_DECODER = msgspec.json.Decoder(_Place)


def _read(statement: Statement) -> _Place:
    place = read(_DECODER, statement.predicate)
    required(place.name, where="$.predicate.name")
    country(required(place.country, where="$.predicate.country"), where="$.predicate.country")
    region(place.region, of=place.country, where="$.predicate.region")
    return place


def _facts(place: _Place) -> Rows:
    return rows(
        ("Country", place.country),
        ("Region", place.region),
        ("Address", place.address),
        ("Description", place.description),
    )


def _project(statement: Statement, signer: str) -> GraphDelta:
    place = _read(statement)
    delta, key = named(statement, signer, place.name, NodeKind.PLACE)
    for label, value in _facts(place):
        delta.detail(key, label, value)
    nation = entered(delta, place.country)
    delta.edge(key, EdgeType.AT_LOCATION, nation)
    if place.region:
        within = entered(delta, place.region)
        delta.edge(key, EdgeType.AT_LOCATION, within)
        delta.edge(within, EdgeType.AT_LOCATION, nation)
    supplied(delta, key, place.operator, where="$.predicate.operator")
    return delta.finished()


def _describe(statement: Statement) -> Rows:
    place = _read(statement)
    operator = place.operator.name if place.operator else ""
    return rows(("Place", place.name)) + _facts(place) + rows(("Operator", operator))


PREDICATE = PredicateType(
    uris=("urn:lineage:predicate:place:v1",),
    slug="place",
    title="Place",
    summary="Says in which country and region a site lies, and who runs it.",
    project=_project,
    describe=_describe,
    schema="place.json",
    example="place.json",
)
