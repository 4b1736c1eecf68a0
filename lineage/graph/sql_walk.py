"""Closures in SQL: everything that a node was made from, or that was made from it, as of a tree size.

Owns: which edges a walk follows and in which direction, and finding the ids that it reaches. Does not own:
what is known of those nodes (`sql_nodes`) or the edges between them (`sql_edges`).

Edges point from effect to cause, so ancestors are reached from source to target. `SAME_AS` is one hop in
either direction. `UNION` drops what was seen, so that cycles end; a depth in the recursion would cost
2 to 10 times as much, so a walk of limited depth goes level by level instead.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from lineage.graph.backend import MAX_DEPTH, OPENING_EDGES, OPENING_KINDS, Direction
from lineage.graph.model import LINEAGE_EDGES, EdgeType, NodeKind
from lineage.graph.sql_query import Sql, fetch, id_table, one_of


@dataclass(frozen=True, slots=True)
class Walk:
    """`types` are the edges to follow; none means `LINEAGE_EDGES` with the wider first step."""

    direction: Direction
    size: int
    types: tuple[EdgeType, ...] = ()

    @property
    def followed(self) -> tuple[EdgeType, ...]:
        return self.types or LINEAGE_EDGES

    def step(self, table: str) -> Sql:
        """SELECT of the ids one edge from the ids of `table` (whose alias is `r`)."""
        near, far = (
            ("source_id", "target_id")
            if self.direction is Direction.ANCESTORS
            else ("target_id", "source_id")
        )
        types = self.followed
        if connection.vendor == "postgresql":
            return self._probing_step(table, near, far)
        if EdgeType.SAME_AS not in types:
            sql = (
                f"SELECT e.{far} FROM {table} CROSS JOIN graph_edge e "
                f"WHERE e.{near} = r.id AND e.type IN {one_of(types)} AND e.first_index < %s"
            )
            return sql, [*types, self.size]
        sql = (
            f"SELECT CASE WHEN e.{near} = r.id THEN e.{far} ELSE e.{near} END "
            f"FROM {table} CROSS JOIN graph_edge e "
            f"WHERE ((e.{near} = r.id AND e.type IN {one_of(types)}) OR (e.{far} = r.id AND e.type = %s)) "
            f"AND e.first_index < %s"
        )
        return sql, [*types, EdgeType.SAME_AS, self.size]

    def _probing_step(self, table: str, near: str, far: str) -> Sql:
        """The same for PostgreSQL, which may name a recursive table only once.

        OFFSET 0 keeps it from making a join of the lookups: without statistics it would compare each id with
        each edge, minutes for a hub.
        """
        probe = "SELECT e.{} FROM graph_edge e WHERE e.{} = r.id AND e.type IN {} AND e.first_index < %s"
        probes = probe.format(f"{far} AS far", near, one_of(self.followed))
        params: list[object] = [*self.followed, self.size]
        if EdgeType.SAME_AS in self.followed:
            probes += " UNION ALL " + probe.format(near, far, "(%s)")
            params += [EdgeType.SAME_AS, self.size]
        return f"SELECT e.far FROM {table} CROSS JOIN LATERAL ({probes} OFFSET 0) e", params


def find(key: str, size: int) -> tuple[int, NodeKind] | None:
    """Id and kind of the node, if it was known at that tree size."""
    if "\0" in key:  # PostgreSQL can't even be asked
        return None
    rows = fetch("SELECT id, kind FROM graph_node WHERE key = %s AND first_index < %s", [key, size])
    return (rows[0][0], NodeKind(rows[0][1])) if rows else None


def closure(root: int, kind: NodeKind, walk: Walk, depth: int = MAX_DEPTH) -> list[int]:
    """Ids of all nodes within `depth` edges of the root, ascending, without the root.

    `MAX_DEPTH` and more mean no limit.
    """
    opening = _opening(root, kind, walk)
    if depth >= MAX_DEPTH:
        reached = reach([root, *(node for level in opening for node in level)], walk)
    else:
        reached = {node for level in _levels(root, walk, opening, depth) for node in level}
    reached.discard(root)
    return sorted(reached)


def closure_sql(seeds: Iterable[int], walk: Walk) -> Sql:
    """`WITH RECURSIVE r(id) AS (…)` of everything that the seeds reach, themselves included."""
    table, params = id_table(seeds)
    step, more = walk.step("r")
    return f"WITH RECURSIVE r(id) AS (SELECT id FROM {table} s UNION {step})", [*params, *more]


def reach(seeds: Iterable[int], walk: Walk) -> set[int]:
    sql, params = closure_sql(seeds, walk)
    return {row[0] for row in fetch(f"{sql} SELECT id FROM r", params)}


def step(ids: Iterable[int], walk: Walk) -> set[int]:
    """The ids one edge away."""
    table, params = id_table(ids)
    sql, more = walk.step(f"{table} r")
    return {row[0] for row in fetch(sql, [*params, *more])}


def levels(root: int, kind: NodeKind, walk: Walk, depth: int = MAX_DEPTH) -> list[set[int]]:
    """The root alone, then the nodes at 1, 2, … edges from it, each at its shortest distance."""
    return _levels(root, walk, _opening(root, kind, walk), depth)


def _levels(root: int, walk: Walk, opening: list[set[int]], depth: int) -> list[set[int]]:
    found, seen = [{root}], {root}
    while len(found) <= depth:
        extra = opening[len(found) - 1] if len(found) <= len(opening) else set()
        if not found[-1] and not extra:
            break
        level = (step(found[-1], walk) | extra) - seen
        if not level and len(found) >= len(opening):
            break
        seen |= level
        found.append(level)
    return found


def _opening(root: int, kind: NodeKind, walk: Walk) -> list[set[int]]:
    """What the wider first step reaches: at one edge, and for a place through its machines at two."""
    if walk.types or kind not in OPENING_KINDS:
        return []
    first = step([root], Walk(walk.direction, walk.size, OPENING_EDGES))
    if kind is not NodeKind.PLACE or walk.direction is Direction.ANCESTORS:
        return [first]
    # Its machines are those that lie there, as for `sql_paths`: another edge to a place makes none its own.
    table, params = id_table(step([root], Walk(walk.direction, walk.size, (EdgeType.AT_LOCATION,))))
    machines = fetch(
        f"SELECT id FROM graph_node WHERE id IN {table} AND kind = %s", [*params, NodeKind.HARDWARE]
    )
    associated = Walk(walk.direction, walk.size, (EdgeType.WAS_ASSOCIATED_WITH,))
    return [first, step([row[0] for row in machines], associated)]
