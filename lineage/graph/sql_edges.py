"""Edges between given nodes, with who supports them."""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, id_table, one_of


class EdgeRow(msgspec.Struct, frozen=True):
    """`source` and `target` are node ids, `support` log indexes, ascending, below the tree size asked for."""

    source: int
    type: str
    target: int
    first_index: int
    trust: str
    support: tuple[int, ...]


def among(ids: Collection[int], types: Collection[str], moment: Moment) -> list[EdgeRow]:
    """All edges of these types with both ends in `ids`, by first index."""
    table, params = id_table(ids)
    # The unary plus keeps the planner from entering by the target: a hub has 100,000 edges that end in it.
    sql = (
        f"SELECT e.id, e.source_id, e.type, e.target_id, e.first_index FROM graph_edge e "
        f"WHERE e.source_id IN {table} AND e.type IN {one_of(list(types))} AND e.first_index < %s "
        f"AND +e.target_id IN {table} ORDER BY e.first_index, e.id"
    )
    return _supported(fetch(sql, [*params, *types, moment.size, *params]), moment)


def between(pairs: Iterable[tuple[int, int]], types: Collection[str], moment: Moment) -> list[EdgeRow]:
    """All edges of these types that join two nodes of a pair, in either direction."""
    wanted = {frozenset(pair) for pair in pairs}
    found = among({node for pair in wanted for node in pair}, types, moment)
    return [edge for edge in found if frozenset((edge.source, edge.target)) in wanted]


def touching(node: int, types: Collection[str], moment: Moment, *, causes: bool, limit: int) -> list[EdgeRow]:
    """The first edges of these types that begin at the node (its causes), or that end in it (its effects)."""
    near = "source_id" if causes else "target_id"
    sql = (
        f"SELECT e.id, e.source_id, e.type, e.target_id, e.first_index FROM graph_edge e WHERE e.{near} = %s "
        f"AND e.type IN {one_of(list(types))} AND e.first_index < %s ORDER BY e.first_index, e.id LIMIT %s"
    )
    return _supported(fetch(sql, [node, *types, moment.size, limit]), moment)


def count_touching(node: int, type: str, size: int, *, causes: bool) -> int:
    """How many edges of this type begin at the node, or end in it."""
    near = "source_id" if causes else "target_id"
    sql = f"SELECT count(*) FROM graph_edge e WHERE e.{near} = %s AND e.type = %s AND e.first_index < %s"
    return int(fetch(sql, [node, type, size])[0][0])


def _supported(rows: list[tuple[int, int, str, int, int]], moment: Moment) -> list[EdgeRow]:
    support = _support([row[0] for row in rows], moment)
    return [
        EdgeRow(source, kind, target, first, *support.get(number, ("revoked", ())))
        for number, source, kind, target, first in rows
    ]


def _support(edges: list[int], moment: Moment) -> dict[int, tuple[str, tuple[int, ...]]]:
    table, params = id_table(edges)
    sql = (
        'SELECT edge_id, signer_id, "index", trust FROM graph_support '
        f'WHERE edge_id IN {table} AND "index" < %s'
    )
    supporters: dict[int, list[tuple[int, int, str]]] = {}
    for edge, signer, index, trust in fetch(sql, [*params, moment.size]):
        supporters.setdefault(edge, []).append((signer, index, trust))
    return {
        edge: (moment.trust(found), tuple(sorted({index for _, index, _ in found})))
        if len(found) > 1
        else (moment.trust(found), (found[0][1],))
        for edge, found in supporters.items()
    }
