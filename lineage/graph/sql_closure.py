"""Closures in the tables, with what filters let through and how many of each kind and status.

Owns: applying a walk's filters to row ids. Does not own: the walk (`sql_walk`), or the same by the closure
index (`index.closures`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from lineage.graph import sql_nodes, sql_walk
from lineage.graph.backend import PLACE_HOPS, Walk
from lineage.graph.model import EdgeType, NodeKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, id_table


@dataclass(frozen=True, slots=True)
class Listed:
    """Row ids, ascending. No counts by status where nobody asked for any."""

    nodes: list[int]
    counts_by_kind: Mapping[str, int]
    counts_by_status: Mapping[str, int] | None

    @property
    def total(self) -> int:
        return len(self.nodes)

    def page(self, after: int | None, limit: int) -> list[int]:
        """At most `limit` row ids after that one."""
        start = 0 if after is None else bisect_right(self.nodes, after)
        return self.nodes[start : start + limit]


def closure(root: int, kind: NodeKind, walk: Walk, place: int | None) -> Listed:
    """What the walk finds and its filters keep, without the root; `place`: the row id of the walk's place."""
    nodes = sql_walk.in_tables(root, kind, walk.way, walk.depth)
    if walk.kinds:
        nodes = sql_nodes.of_kinds(nodes, walk.kinds, walk.size)
    if walk.roles:
        nodes = sql_nodes.of_roles(nodes, walk.roles, walk.size)
    if place is not None:
        there = _at_place(place, walk.size)
        nodes = [node for node in nodes if node in there]
    if walk.at_us is None:
        return Listed(nodes, sql_nodes.counts_by_kind(nodes), None)
    if walk.statuses:
        known = sql_nodes.statuses(nodes, walk.size, walk.at_us)
        nodes = [node for node in nodes if known[node] in walk.statuses]
    counts = sql_nodes.counts(nodes, Moment(walk.size, walk.at_us)).items()
    return Listed(
        nodes,
        sql_nodes.sums((kind, count) for (kind, _), count in counts),
        sql_nodes.sums((status, count) for (_, status), count in counts),
    )


def _at_place(place: int, size: int) -> set[int]:
    """What is at a place: see `backend.Walk.place`."""
    places = level = {place}
    for _ in range(PLACE_HOPS):
        found = _effects(sorted(level), EdgeType.AT_LOCATION, size)
        level = {node for node, kind in found if kind == NodeKind.PLACE} - places
        places = places | level
    located = _effects(sorted(places), EdgeType.AT_LOCATION, size)
    machines = [node for node, kind in located if kind == NodeKind.HARDWARE]
    there = {node for node, _ in located}
    there |= {node for node, _ in _effects(machines, EdgeType.WAS_ASSOCIATED_WITH, size)}
    return there | {node for node, _ in _effects(sorted(there), EdgeType.WAS_GENERATED_BY, size)}


def _effects(causes: list[int], kind: EdgeType, size: int) -> list[tuple[int, str]]:
    """Nodes with an edge of this type to one of the causes, with their kind."""
    table, listed = id_table(causes)
    sql = (
        f"SELECT n.id, n.kind FROM {table} r CROSS JOIN graph_edge e CROSS JOIN graph_node n "
        "WHERE e.target_id = r.id AND e.type = %s AND e.first_index < %s AND n.id = e.source_id"
    )
    return [(node, of) for node, of in fetch(sql, [*listed, kind, size])]
