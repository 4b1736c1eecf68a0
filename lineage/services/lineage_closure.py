"""Closures and explaining paths, as people and programs ask for them.

Owns: pages, counts, and the edges to show with them. Does not own: the walks (`graph.sql_walk`, `sql_paths`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from lineage.errors import MalformedError, NotFoundError
from lineage.graph import sql_edges, sql_nodes, sql_paths, sql_walk
from lineage.graph.backend import MAX_DEPTH, OPENING_EDGES, OPENING_KINDS, Direction
from lineage.graph.model import LINEAGE_EDGES, EdgeType, NodeKind
from lineage.graph.sql_edges import EdgeRow
from lineage.graph.sql_walk import Walk
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import Closure, EdgeRecord, NodeSummary, PathRecord

BACKEND = "sql"
MAX_PATHS = 100


def find(key: str, as_of: AsOf, where: str = "") -> tuple[int, NodeKind]:
    """Id and kind of a node. Raises: NotFoundError where it was not known at the moment."""
    found = sql_walk.find(key, as_of.size)
    if found is None:
        raise NotFoundError(
            f"No node {key[:200]} is known with the first {as_of.size} entries of the log.",
            hint="Check the key, or ask for a later moment: the graph may also be behind the log.",
            where=where,
        )
    return found


def closure(
    key: str,
    direction: str,
    as_of: AsOf,
    *,
    depth: int = MAX_DEPTH,
    kinds: Sequence[str] = (),
    edges: Sequence[str] = (),
    after: str | None = None,
    limit: int = 100,
) -> Closure:
    """Everything that a node was made from (`ancestors`), or that was made from it (`descendants`).

    Args:
        depth: how many edges away at most; `MAX_DEPTH` and more mean no limit.
        kinds: node kinds or roles of artifacts to keep in the answer; the walk passes through all.
        edges: edge types to follow instead of the lineage edges.
        after: `next` of the page before.
        limit: nodes a page. For all edges of a closure ask for all its nodes.

    Raises: NotFoundError, MalformedError for an unknown direction, edge type, depth or cursor.
    """
    walk = Walk(_direction(direction), as_of.size, tuple(_edge_type(name) for name in edges))
    if depth < 1:
        raise MalformedError("The depth is a number of edges, 1 or more.", where="depth")
    root, kind = find(key, as_of)
    reader = Reader(as_of)
    ids = sql_walk.closure(root, kind, walk, depth)
    if kinds:
        ids = sql_nodes.of_kinds(ids, kinds, as_of.size)
    counts = sql_nodes.counts(ids, reader.moment)
    last = reader.cursor(after)
    start = 0 if last is None else bisect_right(ids, last)
    shown = ids[start : start + limit]
    nodes = reader.summaries([root, *shown])
    keys = {number: node.key for number, node in nodes.items()}
    return Closure(
        root=key,
        root_node=nodes.pop(root),
        tree_size=as_of.size,
        projected=as_of.projected,
        backend=BACKEND,
        total=len(ids),
        counts_by_kind=_sums((kind, count) for (kind, _), count in counts.items()),
        counts_by_status=_sums((status, count) for (_, status), count in counts.items()),
        nodes=tuple(nodes.values()),
        edges=_edges_among(reader, root, kind, keys, walk),
        next=keys[shown[-1]] if start + limit < len(ids) and shown else None,
    )


def _direction(text: str) -> Direction:
    try:
        return Direction(text)
    except ValueError:
        raise MalformedError("The direction is ancestors or descendants.", where="direction") from None


def _edge_type(text: str) -> EdgeType:
    try:
        return EdgeType(text)
    except ValueError:
        known = ", ".join(EdgeType)
        raise MalformedError(
            f"There is no edge type {text[:50]!r}; there are {known}.", where="edge"
        ) from None


def _sums(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for name, count in pairs:
        sums[name] += count
    return dict(sorted(sums.items()))


def _edges_among(
    reader: Reader, root: int, kind: NodeKind, keys: Mapping[int, str], walk: Walk
) -> tuple[EdgeRecord, ...]:
    """The edges that the walk may follow, among the page's nodes and the root."""
    types: tuple[EdgeType, ...] = walk.followed
    if not walk.types and kind in OPENING_KINDS:
        types = (*types, *OPENING_EDGES)
    return edge_records(sql_edges.among(keys.keys(), types, reader.moment), keys)


def edge_records(rows: Iterable[EdgeRow], keys: Mapping[int, str]) -> tuple[EdgeRecord, ...]:
    return tuple(
        EdgeRecord(keys[row.source], keys[row.target], row.type, row.trust, row.support, row.first_index)
        for row in rows
    )


def paths(source: str, target: str, as_of: AsOf, *, limit: int = 10) -> list[PathRecord]:
    """How one node comes from the other: at most `limit` (100) paths, shortest first, from source to target.

    Either of the two may be the effect. No path: an empty list.

    Raises: NotFoundError where one of them was not known at the moment.
    """
    (first, first_kind), (last, last_kind) = find(source, as_of, "from"), find(target, as_of, "to")
    limit = max(1, min(limit, MAX_PATHS))
    found = sql_paths.shortest(first, last, last_kind, as_of.size, limit)
    if not found:
        found = [path[::-1] for path in sql_paths.shortest(last, first, first_kind, as_of.size, limit)]
    if not found:
        return []
    reader = Reader(as_of)
    nodes = reader.summaries(sorted({node for path in found for node in path}))
    edges = _edges_of(reader, found)
    return [_path(path, nodes, edges) for path in found]


def _edges_of(reader: Reader, found: Sequence[Sequence[int]]) -> dict[frozenset[int], EdgeRow]:
    """An edge for each step: of several the lineage edge with the earliest support."""
    pairs = {pair for path in found for pair in pairwise(path)}
    rows = sql_edges.between(pairs, (*LINEAGE_EDGES, *OPENING_EDGES), reader.moment)
    best: dict[frozenset[int], EdgeRow] = {}
    for row in sorted(rows, key=lambda row: row.type in OPENING_EDGES):
        best.setdefault(frozenset((row.source, row.target)), row)
    return best


def _path(
    path: Sequence[int], nodes: Mapping[int, NodeSummary], edges: Mapping[frozenset[int], EdgeRow]
) -> PathRecord:
    keys = {node: nodes[node].key for node in path}
    steps = edge_records((edges[frozenset(pair)] for pair in pairwise(path)), keys)
    return PathRecord(tuple(nodes[node] for node in path), steps, len(path) - 1)
