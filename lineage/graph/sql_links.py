"""Edges between many nodes without who supports them: for pictures, where support would double the cost."""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection

from lineage.graph.sql_query import fetch, id_table, one_of

Link = tuple[int, str, int]
"""Id of the effect, edge type, id of the cause."""


def among(ids: Collection[int], types: Collection[str], size: int) -> list[Link]:
    """All edges of these types with both ends in `ids`, known at that tree size, in no order."""
    table, params = id_table(ids)
    # The unary plus keeps the planner from entering by the target, as in `sql_edges.among`.
    sql = (
        f"SELECT e.source_id, e.type, e.target_id FROM graph_edge e WHERE e.source_id IN {table} "
        f"AND e.type IN {one_of(list(types))} AND e.first_index < %s AND +e.target_id IN {table}"
    )
    return [(source, kind, target) for source, kind, target in fetch(sql, [*params, *types, size, *params])]
