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
Listed = tuple[int, str, str, str, int]
"""Folder's node id, path, the file's key, trust, log index."""


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


def files(folders: Collection[int], moment: Moment, most: int) -> list[Listed]:
    """The first `most` files of folders, by folder and path, each as often as a statement lists it.

    A path is what the statement calls the file that says that it is part of the folder.
    """
    table, listed = id_table(folders)
    valid, revocations = moment.unrevoked("s")
    sql = (
        'SELECT r.id, c.value, n.key, s.trust, s."index" FROM '
        f"{table} r CROSS JOIN graph_edge e CROSS JOIN graph_support s CROSS JOIN graph_node n "
        "CROSS JOIN graph_claim c WHERE e.target_id = r.id AND e.type = %s AND e.first_index < %s "
        f'AND s.edge_id = e.id AND s."index" < %s{valid} AND n.id = e.source_id AND c.node_id = e.source_id '
        'AND c.kind = %s AND c."index" = s."index" AND c.signer_id = s.signer_id '
        'ORDER BY r.id, c.value, n.key, s."index" LIMIT %s'
    )
    params = [*listed, EdgeType.PART_OF, moment.size, moment.size, *revocations, ClaimKind.NAME, most]
    return [tuple(row) for row in fetch(sql, params)]


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
