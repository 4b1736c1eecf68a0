"""Explaining paths: how an effect hangs together with a cause, shortest first, as of a tree size.

Owns: collecting the edges above the effect, level by level, at most `MAX_NODES` nodes once the cause is
found. Does not own: the search for paths among them (`path_search`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Iterable

from lineage.graph import path_search
from lineage.graph.backend import OPENING_EDGES, OPENING_KINDS
from lineage.graph.model import LINEAGE_EDGES, EdgeType, NodeKind
from lineage.graph.path_search import MAX_NODES
from lineage.graph.sql_query import fetch, id_table, one_of


def shortest(effect: int, cause: int, cause_kind: NodeKind, size: int, limit: int) -> list[list[int]]:
    """At most `limit` simple paths of node ids, from the effect to the cause, shortest first.

    Over lineage edges; a signer, supplier, place or machine as the cause is entered over its other edges.
    """
    if effect == cause:
        return []
    steps = _collect(effect, _Target(cause, cause_kind, size), size)
    return path_search.shortest(effect, cause, steps, limit)


class _Target:
    """The cause, and the edges that enter it besides lineage edges (a place's through its machines)."""

    def __init__(self, cause: int, kind: NodeKind, size: int) -> None:
        self.cause, self.size = cause, size
        self.entered = kind in OPENING_KINDS
        self.machines: set[int] = set()
        if kind is NodeKind.PLACE:
            sql = (
                "SELECT e.source_id FROM graph_edge e CROSS JOIN graph_node n "
                "WHERE e.target_id = %s AND e.type = %s AND e.first_index < %s AND n.id = e.source_id "
                "AND n.kind = %s"
            )
            rows = fetch(sql, [cause, EdgeType.AT_LOCATION, size, NodeKind.HARDWARE])
            self.machines = {row[0] for row in rows}

    def edges_from(self, level: Iterable[int]) -> list[tuple[int, int]]:
        if not self.entered:
            return []
        level = set(level)
        found = _edges(level, OPENING_EDGES, self.size, [self.cause])
        if self.machines:
            found += _edges(level, (EdgeType.WAS_ASSOCIATED_WITH,), self.size, self.machines)
            found += [(machine, self.cause) for _, machine in found if machine in self.machines]
        return found


def _edges(
    sources: Iterable[int], types: tuple[EdgeType, ...], size: int, targets: Iterable[int]
) -> list[tuple[int, int]]:
    near, listed = id_table(sources)
    far, also = id_table(targets)
    sql = (
        f"SELECT e.source_id, e.target_id FROM graph_edge e WHERE e.source_id IN {near} "
        f"AND e.type IN {one_of(types)} AND +e.target_id IN {far} AND e.first_index < %s"
    )
    return [(source, target) for source, target in fetch(sql, [*listed, *types, *also, size])]


def _lineage(level: Iterable[int], size: int) -> list[tuple[int, int]]:
    table, listed = id_table(level)
    sql = (
        f"SELECT e.source_id, e.target_id FROM graph_edge e WHERE e.source_id IN {table} "
        f"AND e.type IN {one_of(LINEAGE_EDGES)} AND e.first_index < %s UNION ALL "
        f"SELECT e.target_id, e.source_id FROM graph_edge e WHERE e.target_id IN {table} "
        "AND e.type = %s AND e.first_index < %s"
    )
    rows = fetch(sql, [*listed, *LINEAGE_EDGES, size, *listed, EdgeType.SAME_AS, size])
    return [(near, far) for near, far in rows]


def _collect(effect: int, target: _Target, size: int) -> dict[int, set[int]]:
    """The edges above the effect. Once the cause is found, the walk stops at `MAX_NODES` nodes."""
    steps: dict[int, set[int]] = {}
    seen, level = {effect}, {effect}
    while level and (target.cause not in seen or len(seen) < MAX_NODES):
        entering = target.edges_from(level)
        following = _lineage(level - {target.cause}, size)
        for near, far in (*following, *entering):
            steps.setdefault(near, set()).add(far)
        level = {far for _, far in (*following, *entering)} - seen
        seen |= level
    return steps
