"""Values of a Cypher answer, from the driver's types into those of JSON.

Owns: which type becomes what. Does not own: the form (`cypher_form`), or which rows are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from neo4j.graph import Node, Path, Relationship
from neo4j.spatial import Point
from neo4j.time import Date, DateTime, Duration, Time

from lineage.graph.cypher_form import TYPE

LARGEST = (1 << 53) - 1
"""What every reader of JSON takes for exactly that integer. Source: RFC 8259 section 6."""

_TIMES: tuple[tuple[type, str], ...] = (
    (DateTime, "datetime"),
    (Date, "date"),
    (Time, "time"),
    (Duration, "duration"),
)


def encode(value: object) -> Any:
    """A value of the driver as JSON types. Raises: TypeError for a type that Neo4j 5 doesn't send."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= LARGEST else {TYPE: "integer", "value": str(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {TYPE: "float", "value": _not_finite(value)}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        encoded = _mapping(value)
        return {TYPE: "map", "value": encoded} if TYPE in encoded else encoded
    return _tagged(value)


def _tagged(value: object) -> dict[str, Any]:
    if isinstance(value, Node):
        return _node(value)
    if isinstance(value, Relationship):
        return _relationship(value)
    if isinstance(value, Path):
        return {
            TYPE: "path",
            "nodes": [_node(node) for node in value.nodes],
            "relationships": [_relationship(step) for step in value.relationships],
        }
    if isinstance(value, bytes | bytearray):
        return {TYPE: "bytes", "hex": value.hex()}
    if isinstance(value, Point):
        return {TYPE: "point", "srid": value.srid, "coordinates": [encode(number) for number in value]}
    for kind, name in _TIMES:
        if isinstance(value, kind):
            return {TYPE: name, "value": str(value) if kind is Duration else value.iso_format()}  # type: ignore[attr-defined]
    raise TypeError(f"no JSON form for {type(value).__name__}")


def _not_finite(value: float) -> str:
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _mapping(value: Mapping[str, object]) -> dict[str, Any]:
    return {key: encode(item) for key, item in value.items()}


def _node(node: Node) -> dict[str, Any]:
    return {
        TYPE: "node",
        "key": _key(node),
        "labels": sorted(node.labels),
        "properties": _mapping(dict(node)),
    }


def _relationship(relationship: Relationship) -> dict[str, Any]:
    return {
        TYPE: "relationship",
        "relation": relationship.type,
        "source": _key(relationship.start_node),
        "target": _key(relationship.end_node),
        "properties": _mapping(dict(relationship)),
    }


def _key(node: Node | None) -> str | None:
    key = None if node is None else node.get("key")
    return key if isinstance(key, str) else None
