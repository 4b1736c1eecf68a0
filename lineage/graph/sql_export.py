"""What is said of many nodes at once, for exports: claims that are believed, and whom and what they touch.

Of a hub the first few claims of each kind are read, by log order, so that the answer stays bounded.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection, Sequence

from lineage.graph.model import ClaimKind, EdgeType
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, id_table, one_of

Said = tuple[int, str, str, int, str]
"""Node id, kind of the claim, value, log index, trust."""


def claims(ids: Collection[int], kinds: Sequence[ClaimKind], moment: Moment, each: int) -> list[Said]:
    """The first `each` unrevoked claims of each kind about each node, in log order."""
    table, listed = id_table(ids)
    valid, revocations = moment.unrevoked("c")
    sql = (
        'SELECT said.node_id, said.kind, said.value, said."index", said.trust FROM ('
        'SELECT c.node_id, c.kind, c.value, c."index", c.trust, c.id, ROW_NUMBER() OVER ('
        'PARTITION BY c.node_id, c.kind ORDER BY c."index", c.id) AS place '
        f"FROM {table} r CROSS JOIN graph_claim c WHERE c.node_id = r.id AND c.kind IN {one_of(kinds)} "
        f'AND c."index" < %s{valid}) said WHERE said.place <= %s '
        'ORDER BY said.node_id, said."index", said.id'
    )
    return [
        (node, kind, value, index, trust)
        for node, kind, value, index, trust in fetch(sql, [*listed, *kinds, moment.size, *revocations, each])
    ]


def touched(ids: Collection[int], types: Sequence[EdgeType], size: int) -> list[int]:
    """The ends of edges of these types that begin at one of the nodes, ascending."""
    table, listed = id_table(ids)
    sql = (
        f"SELECT DISTINCT e.target_id FROM {table} r CROSS JOIN graph_edge e WHERE e.source_id = r.id "
        f"AND e.type IN {one_of(types)} AND e.first_index < %s ORDER BY e.target_id"
    )
    return [row[0] for row in fetch(sql, [*listed, *types, size])]


def has_more_edges(ids: Collection[int], types: Sequence[EdgeType], size: int, most: int) -> bool:
    """Whether more than `most` edges of these types have both ends among the nodes."""
    table, listed = id_table(ids)
    sql = (
        f"SELECT 1 FROM graph_edge e WHERE e.source_id IN {table} AND e.type IN {one_of(types)} "
        f"AND e.first_index < %s AND +e.target_id IN {table} LIMIT 1 OFFSET %s"
    )
    return bool(fetch(sql, [*listed, *types, size, *listed, most]))
