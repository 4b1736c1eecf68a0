"""The same bytes under their several digests.

Nodes are never re-keyed: what is bound by one signed digest set stays a node for each digest, each with its
own checks. Whoever asks whether bytes are good asks of all of them.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection

from lineage.graph.model import EdgeType
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, id_table

MOST = 1_000
"""Nodes of one group that are looked at; there are fewer algorithms, and more only where somebody lies."""


def group(node: int, moment: Moment, most: int | None = None) -> set[int]:
    """Ids of the nodes that are the same as this one, itself among them, by what is believed then.

    `most`: there may be others where these are more. Without, it is all of them: one statement can bind
    thousands of digests to somebody's, and none of those may hide the one that has failed.
    """
    return joined([node], moment, most)


def joined(nodes: Collection[int], moment: Moment, most: int | None = None) -> set[int]:
    """Of several nodes, their groups together."""
    found = news = set(nodes)
    while news and (most is None or len(found) <= most):
        news = _beside(news, moment) - found
        found = found | news
    return found


def _beside(nodes: Collection[int], moment: Moment) -> set[int]:
    """What somebody who is believed says to be the same as one of the nodes, in either direction."""
    table, listed = id_table(nodes)
    valid, revocations = moment.unrevoked("s")
    found: set[int] = set()
    for near, far in (("source_id", "target_id"), ("target_id", "source_id")):
        sql = (
            f"SELECT DISTINCT e.{far} FROM graph_edge e CROSS JOIN graph_support s "
            f"WHERE e.{near} IN {table} AND e.type = %s AND e.first_index < %s "
            f'AND s.edge_id = e.id AND s."index" < %s{valid}'
        )
        rows = fetch(sql, [*listed, EdgeType.SAME_AS, moment.size, moment.size, *revocations])
        found.update(end for (end,) in rows)
    return found
