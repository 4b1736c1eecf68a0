"""What one log entry changed: statuses, from the history; edges, by who was believed before it and after.

Owns: reading both in counts and pages. Does not own: whose word an entry takes (`services.consequences`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineage.graph.sql_moment import REVOKED, TRUSTS, Moment
from lineage.graph.sql_query import Sql, fetch, id_table

_TURNED = (
    "FROM graph_status s CROSS JOIN graph_node n CROSS JOIN graph_status b "
    "WHERE s.from_index = %s AND s.from_us <= %s AND %s < s.until_us AND n.id = s.node_id "
    "AND b.node_id = s.node_id AND b.to_index = %s AND b.from_us <= %s AND %s < b.until_us "
    "AND (b.status <> s.status OR b.reasons <> s.reasons)"
)
_CHUNK = 500
"""Edges whose supporters are read at once."""
_RANK = "CASE p.trust WHEN 'signed' THEN 0 WHEN 'observed' THEN 1 ELSE 2 END"
_NONE = len(TRUSTS)
"""Rank of an edge that nobody believed supports; of the others the place in TRUSTS."""


@dataclass(frozen=True, slots=True)
class Turned:
    """A node with another status, or other reasons for it; `before` is empty where it was not known then."""

    node: int
    kind: str
    before: str
    reasons_before: tuple[str, ...]
    after: str
    reasons_after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Faded:
    """An edge (row ids of its ends) whose best trust an entry changed."""

    edge: int
    source: int
    type: str
    target: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Word:
    """What a signer (node id) said at the log indexes from `start` to before `end`."""

    signer: int
    start: int
    end: int


def turned(index: int, at_us: int, after: int, limit: int) -> list[Turned]:
    """Nodes by ascending id above `after` that entry `index` turned, as of its own time `at_us` (µs)."""
    rows = fetch(
        f"SELECT s.node_id, n.kind, b.status, b.reasons, s.status, s.reasons {_TURNED} "
        "AND s.node_id > %s ORDER BY s.node_id LIMIT %s",
        [*_at(index, at_us), after, limit],
    )
    return [
        Turned(node, kind, before, slugs(why), status, slugs(reasons))
        for node, kind, before, why, status, reasons in rows
    ]


def turned_counts(index: int, at_us: int) -> list[tuple[str, str, str, int]]:
    """(kind, status before, status after, how many nodes) of all that the entry turned."""
    rows = fetch(
        f"SELECT n.kind, b.status, s.status, count(*) {_TURNED} GROUP BY n.kind, b.status, s.status "
        "ORDER BY n.kind, b.status, s.status",
        _at(index, at_us),
    )
    return [(kind, before, after, int(count)) for kind, before, after, count in rows]


def faded(words: Sequence[Word], before: Moment, after: Moment, above: int, limit: int) -> list[Faded]:
    """Edges by ascending id above `above` that are trusted otherwise once these words are taken away."""
    found: list[Faded] = []
    said, params = _said(words)
    while words and len(found) < limit:
        sql = f"SELECT edge_id FROM ({said}) w WHERE edge_id > %s ORDER BY edge_id LIMIT %s"
        edges = [row[0] for row in fetch(sql, [*params, above, _CHUNK])]
        if not edges:
            break
        found += _otherwise(id_table(edges), before, after)
        above = edges[-1]
    return found[:limit]


def _otherwise(edges: Sql, before: Moment, after: Moment) -> list[Faded]:
    table, params = edges
    ranked, ranked_params = _ranked((f"(SELECT id AS edge_id FROM {table} t)", params), before, after)
    sql = (
        f"SELECT r.edge_id, e.source_id, e.type, e.target_id, r.was, r.is_now FROM ({ranked}) r "
        "CROSS JOIN graph_edge e WHERE e.id = r.edge_id AND r.was <> r.is_now ORDER BY r.edge_id"
    )
    return [
        Faded(edge, source, kind, target, _trust(was), _trust(now))
        for edge, source, kind, target, was, now in fetch(sql, ranked_params)
    ]


def faded_counts(words: Sequence[Word], before: Moment, after: Moment) -> list[tuple[str, str, int]]:
    """(trust before, trust after, how many edges)."""
    if not words:
        return []
    said, params = _said(words)
    ranked, ranked_params = _ranked((f"({said})", params), before, after)
    sql = (
        f"SELECT r.was, r.is_now, count(*) FROM ({ranked}) r WHERE r.was <> r.is_now "
        "GROUP BY r.was, r.is_now ORDER BY r.was, r.is_now"
    )
    return [(_trust(was), _trust(now), int(count)) for was, now, count in fetch(sql, ranked_params)]


def _said(words: Sequence[Word]) -> Sql:
    """SELECT of the edges that these words support, each once."""
    sql = " UNION ".join(
        'SELECT edge_id FROM graph_support WHERE signer_id = %s AND "index" >= %s AND "index" < %s'
        for _ in words
    )
    if len(words) == 1:
        sql = sql.replace("SELECT", "SELECT DISTINCT", 1)
    return sql, [value for word in words for value in (word.signer, word.start, word.end)]


def _ranked(edges: Sql, before: Moment, after: Moment) -> Sql:
    """SELECT of edges (a table with `edge_id`) with the rank of their best trust then and now."""
    table, params = edges
    then, then_params = before.unrevoked("p")
    now, now_params = after.unrevoked("p")
    sql = (
        f'SELECT p.edge_id, MIN(CASE WHEN p."index" < %s{then} THEN {_RANK} ELSE {_NONE} END) AS was, '
        f'MIN(CASE WHEN p."index" < %s{now} THEN {_RANK} ELSE {_NONE} END) AS is_now '
        f"FROM {table} w CROSS JOIN graph_support p WHERE p.edge_id = w.edge_id "
        'AND p."index" < %s GROUP BY p.edge_id'
    )
    return sql, [before.size, *then_params, after.size, *now_params, *params, after.size]


def _trust(rank: int) -> str:
    return TRUSTS[rank] if rank < _NONE else REVOKED


def _at(index: int, at_us: int) -> list[object]:
    return [index, at_us, at_us, index, at_us, at_us]


def slugs(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()
