"""Edges between given nodes, with who supports them."""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import cast

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


Plain = tuple[int, int, str, int, int]
"""Edge id, source id, type, target id, first index."""
Support = tuple[int, int, str]
"""Id of the signer's node, log index, trust."""
Supported = tuple[Plain, list[Support]]


def among(ids: Collection[int], types: Collection[str], moment: Moment) -> list[EdgeRow]:
    """All edges of these types with both ends in `ids`, by first index."""
    return _judged(rows_among(ids, types, moment.size), moment)


def rows_among(ids: Collection[int], types: Collection[str], size: int) -> list[Plain]:
    """The same without who supports them."""
    table, params = id_table(ids)
    # The unary plus keeps the planner from entering by the target: a hub has 100,000 edges that end in it.
    sql = (
        f"SELECT e.id, e.source_id, e.type, e.target_id, e.first_index FROM graph_edge e "
        f"WHERE e.source_id IN {table} AND e.type IN {one_of(list(types))} AND e.first_index < %s "
        f"AND +e.target_id IN {table} ORDER BY e.first_index, e.id"
    )
    return cast("list[Plain]", fetch(sql, [*params, *types, size, *params]))


def between(pairs: Iterable[tuple[int, int]], types: Collection[str], moment: Moment) -> list[EdgeRow]:
    """All edges of these types that join two nodes of a pair, in either direction."""
    wanted = {frozenset(pair) for pair in pairs}
    found = among({node for pair in wanted for node in pair}, types, moment)
    return [edge for edge in found if frozenset((edge.source, edge.target)) in wanted]


def touching(node: int, types: Collection[str], moment: Moment, *, causes: bool, limit: int) -> list[EdgeRow]:
    """The first edges of these types that begin at the node (its causes), or that end in it (its effects)."""
    return _judged(rows_touching(node, types, moment.size, causes=causes, limit=limit), moment)


def rows_touching(node: int, types: Collection[str], size: int, *, causes: bool, limit: int) -> list[Plain]:
    """The same without who supports them."""
    near = "source_id" if causes else "target_id"
    sql = (
        f"SELECT e.id, e.source_id, e.type, e.target_id, e.first_index FROM graph_edge e WHERE e.{near} = %s "
        f"AND e.type IN {one_of(list(types))} AND e.first_index < %s ORDER BY e.first_index, e.id LIMIT %s"
    )
    return cast("list[Plain]", fetch(sql, [node, *types, size, limit]))


def count_touching(node: int, type: str, size: int, *, causes: bool) -> int:
    """How many edges of this type begin at the node, or end in it."""
    near = "source_id" if causes else "target_id"
    sql = f"SELECT count(*) FROM graph_edge e WHERE e.{near} = %s AND e.type = %s AND e.first_index < %s"
    return int(fetch(sql, [node, type, size])[0][0])


def supported(rows: list[Plain], size: int) -> list[Supported]:
    """The edges with their supporters below that tree size, which for a known edge are never none."""
    supporters = _support([row[0] for row in rows], size)
    return [(row, supporters[row[0]]) for row in rows if row[0] in supporters]


def _judged(rows: list[Plain], moment: Moment) -> list[EdgeRow]:
    supporters = _support([row[0] for row in rows], moment.size)
    return [
        EdgeRow(
            source,
            kind,
            target,
            first,
            moment.trust(supporters.get(number, [])),
            _indexes(supporters.get(number, [])),
        )
        for number, source, kind, target, first in rows
    ]


def _indexes(supporters: list[Support]) -> tuple[int, ...]:
    if len(supporters) == 1:
        return (supporters[0][1],)
    return tuple(sorted({index for _, index, _ in supporters}))


def _support(edges: list[int], size: int) -> dict[int, list[Support]]:
    table, params = id_table(edges)
    sql = (
        'SELECT edge_id, signer_id, "index", trust FROM graph_support '
        f'WHERE edge_id IN {table} AND "index" < %s'
    )
    supporters: dict[int, list[Support]] = {}
    for edge, signer, index, trust in fetch(sql, [*params, size]):
        supporters.setdefault(edge, []).append((signer, index, trust))
    return supporters
