"""Closures in SQL: everything that a node was made from, or that was made from it, as of a tree size.

Owns: finding the ids that a walk reaches: by the closure index where there is one, else in the tables. Does
not own: what is known of those nodes (`sql_nodes`) or the edges between them (`sql_edges`).

Edges point from effect to cause, so ancestors are reached from source to target. `SAME_AS` is one hop in
either direction. `UNION` drops what was seen, so that cycles end; a depth in the recursion would cost
2 to 10 times as much, so a walk of limited depth goes level by level instead.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db import connection

from lineage.graph.backend import MAX_DEPTH, OPENING_EDGES, OPENING_KINDS, Direction, Way
from lineage.graph.index import door as closure_index
from lineage.graph.model import EdgeType, NodeKind
from lineage.graph.sql_query import Sql, fetch, id_table, one_of


def step_sql(way: Way, table: str) -> Sql:
    """SELECT of the ids one edge from the ids of `table` (whose alias is `r`)."""
    near, far = (
        ("source_id", "target_id") if way.direction is Direction.ANCESTORS else ("target_id", "source_id")
    )
    types = way.followed
    if connection.vendor == "postgresql":
        return _probing_step(way, table, near, far)
    if EdgeType.SAME_AS not in types:
        sql = (
            f"SELECT e.{far} FROM {table} CROSS JOIN graph_edge e "
            f"WHERE e.{near} = r.id AND e.type IN {one_of(types)} AND e.first_index < %s"
        )
        return sql, [*types, way.size]
    sql = (
        f"SELECT CASE WHEN e.{near} = r.id THEN e.{far} ELSE e.{near} END "
        f"FROM {table} CROSS JOIN graph_edge e "
        f"WHERE ((e.{near} = r.id AND e.type IN {one_of(types)}) OR (e.{far} = r.id AND e.type = %s)) "
        f"AND e.first_index < %s"
    )
    return sql, [*types, EdgeType.SAME_AS, way.size]


def _probing_step(way: Way, table: str, near: str, far: str) -> Sql:
    """The same for PostgreSQL, which may name a recursive table only once.

    OFFSET 0 keeps it from making a join of the lookups: without statistics it would compare each id with
    each edge, minutes for a hub.
    """
    probe = "SELECT e.{} FROM graph_edge e WHERE e.{} = r.id AND e.type IN {} AND e.first_index < %s"
    probes = probe.format(f"{far} AS far", near, one_of(way.followed))
    params: list[object] = [*way.followed, way.size]
    if EdgeType.SAME_AS in way.followed:
        probes += " UNION ALL " + probe.format(near, far, "(%s)")
        params += [EdgeType.SAME_AS, way.size]
    return f"SELECT e.far FROM {table} CROSS JOIN LATERAL ({probes} OFFSET 0) e", params


def find(key: str, size: int) -> tuple[int, NodeKind] | None:
    """Id and kind of the node, if it was known at that tree size."""
    if size < 1 or "\0" in key:  # a graph that is being made has no index; PostgreSQL can't even be asked
        return None
    rows = fetch("SELECT id, kind FROM graph_node WHERE key = %s AND first_index < %s", [key, size])
    return (rows[0][0], NodeKind(rows[0][1])) if rows else None


def closure(root: int, kind: NodeKind, way: Way, depth: int = MAX_DEPTH) -> list[int]:
    """Ids of all nodes within `depth` edges of the root, ascending, without the root.

    `MAX_DEPTH` and more mean no limit.
    """
    index = closure_index.ready(way.size)
    return in_tables(root, kind, way, depth) if index is None else index.closure(root, way, depth)


def in_tables(root: int, kind: NodeKind, way: Way, depth: int) -> list[int]:
    """The same, whether or not there is an index."""
    opening = _opening(root, kind, way)
    if depth >= MAX_DEPTH:
        reached = _reach([root, *(node for level in opening for node in level)], way)
    else:
        reached = {node for level in _levels(root, way, opening, depth) for node in level}
    reached.discard(root)
    return sorted(reached)


def closure_sql(seeds: Iterable[int], way: Way) -> Sql:
    """`WITH RECURSIVE r(id) AS (…)` of everything that the seeds reach, themselves included."""
    table, params = id_table(seeds)
    step, more = step_sql(way, "r")
    return f"WITH RECURSIVE r(id) AS (SELECT id FROM {table} s UNION {step})", [*params, *more]


def reach(seeds: Collection[int], way: Way, but: Collection[int] = ()) -> set[int]:
    """Ids of everything that the seeds reach without a wider first step, themselves included.

    What is in `but` is neither reached nor passed through.
    """
    index = closure_index.ready(way.size)
    if index is not None:
        return index.reach(seeds, way, but)
    if not but:
        return _reach(seeds, way)
    stopped = frozenset(but)
    reached = level = set(seeds) - stopped
    while level:
        level = step(level, way) - reached - stopped
        reached = reached | level
    return reached


def _reach(seeds: Iterable[int], way: Way) -> set[int]:
    sql, params = closure_sql(seeds, way)
    return {row[0] for row in fetch(f"{sql} SELECT id FROM r", params)}


def step(ids: Iterable[int], way: Way) -> set[int]:
    """The ids one edge away."""
    table, params = id_table(ids)
    sql, more = step_sql(way, f"{table} r")
    return {row[0] for row in fetch(sql, [*params, *more])}


def levels(
    root: int, kind: NodeKind, way: Way, depth: int = MAX_DEPTH, but: Collection[int] = ()
) -> list[set[int]]:
    """The root alone, then the nodes at 1, 2, … edges from it, each at its shortest distance.

    What is in `but` is neither reached nor passed through.
    """
    index = closure_index.ready(way.size)
    if index is not None:
        return index.levels(root, way, depth, but)
    return levels_in_tables(root, kind, way, depth, but)


def levels_in_tables(
    root: int, kind: NodeKind, way: Way, depth: int = MAX_DEPTH, but: Collection[int] = ()
) -> list[set[int]]:
    """The same, whether or not there is an index."""
    return _levels(root, way, _opening(root, kind, way), depth, but)


def _levels(
    root: int, way: Way, opening: list[set[int]], depth: int, but: Collection[int] = ()
) -> list[set[int]]:
    found, seen = [{root}], {root, *but}
    while len(found) <= depth:
        extra = opening[len(found) - 1] if len(found) <= len(opening) else set()
        if not found[-1] and not extra:
            break
        level = (step(found[-1], way) | extra) - seen
        if not level and len(found) >= len(opening):
            break
        seen |= level
        found.append(level)
    return found


def _opening(root: int, kind: NodeKind, way: Way) -> list[set[int]]:
    """What the wider first step reaches: at one edge, and for a place through its machines at two."""
    if way.types or kind not in OPENING_KINDS:
        return []
    first = step([root], Way(way.direction, way.size, OPENING_EDGES))
    if kind is not NodeKind.PLACE or way.direction is Direction.ANCESTORS:
        return [first]
    # Its machines are those that lie there, as for `sql_paths`: another edge to a place makes none its own.
    table, params = id_table(step([root], Way(way.direction, way.size, (EdgeType.AT_LOCATION,))))
    machines = fetch(
        f"SELECT id FROM graph_node WHERE id IN {table} AND kind = %s", [*params, NodeKind.HARDWARE]
    )
    associated = Way(way.direction, way.size, (EdgeType.WAS_ASSOCIATED_WITH,))
    return [first, step([row[0] for row in machines], associated)]
