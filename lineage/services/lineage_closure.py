"""Closures and explaining paths, as people and programs ask for them.

Owns: pages, counts, and the edges to show with them. Does not own: the walks (a `graph.backend`), or which
backend answers (`graph_choice`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from lineage.errors import ConflictError, LineageError, MalformedError, NotFoundError, RedactedError
from lineage.graph import sql_nodes, sql_walk
from lineage.graph.backend import (
    MAX_DEPTH,
    MAX_PATHS,
    OPENING_EDGES,
    OPENING_KINDS,
    Backend,
    ClosurePage,
    Direction,
    EdgeRef,
    NodeRef,
    Walk,
)
from lineage.graph.model import LINEAGE_EDGES, EdgeType, NodeKind
from lineage.graph.sql_backend import SqlBackend
from lineage.services import belief, graph_choice, redactions
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import STATUSES, Reader
from lineage.services.lineage_records import Closure, EdgeRecord, NodeSummary, PathRecord


def find(key: str, as_of: AsOf, where: str = "") -> tuple[int, NodeKind]:
    """Row id and kind of a node.

    Raises: NotFoundError where it was not known at the moment; RedactedError where all that was said of it is
        redacted.
    """
    found = sql_walk.find(key, as_of.size)
    if found is None:
        raise _unknown(key, as_of, where)
    return found


def root_of(backend: Backend, key: str, as_of: AsOf, where: str = "") -> NodeRef:
    """The node as the backend knows it. Raises: NotFoundError where it was not known at the moment."""
    found = backend.node(key, as_of.size)
    if found is None:
        raise _unknown(key, as_of, where)
    return found


def _unknown(key: str, as_of: AsOf, where: str) -> LineageError:
    gone = redactions.about(key, as_of.size)
    if gone:
        return RedactedError(
            f"What was said of {key[:200]} is redacted. {gone[0].sentence()}", index=gone[0].index
        )
    return NotFoundError(
        f"No node {key[:200]} is known with the first {as_of.size} entries of the log.",
        hint="Check the key, or ask for a later moment: the graph may also be behind the log.",
        where=where,
    )


def closure(
    key: str,
    direction: str,
    as_of: AsOf,
    *,
    depth: int = MAX_DEPTH,
    kinds: Sequence[str] = (),
    roles: Sequence[str] = (),
    edges: Sequence[str] = (),
    status: Sequence[str] = (),
    place: str = "",
    after: str | None = None,
    limit: int = 100,
    statuses: bool = False,
) -> Closure:
    """Everything that a node was made from (`ancestors`), or that was made from it (`descendants`).

    Args:
        depth: how many edges away at most; `MAX_DEPTH` and more mean no limit.
        kinds: node kinds or roles of artifacts to keep in the answer; the walk passes through all.
        roles: roles of which to keep what has one, whatever `kinds` let through.
        edges: edge types to follow instead of the lineage edges.
        status: statuses to keep; the database's tables answer then, which alone know them.
        place: key of a place: what lies there, its machines' runs, and what these made.
        after: `next` of the page before.
        limit: nodes a page. For all edges of a closure ask for all its nodes.
        statuses: count by status even where that takes a second walk, over the database's tables.

    Raises: NotFoundError, MalformedError for an unknown direction, edge type, status, depth or cursor,
        ConflictError where the list can't be continued and has to be begun again.
    """
    if depth < 1:
        raise MalformedError("The depth is a number of edges, 1 or more.", where="depth")
    walked, followed = _direction(direction), tuple(_edge_type(name) for name in edges)
    wanted = tuple(_status(name) for name in status)
    as_of, cursor = _continued(as_of, after)

    def question(backend: Backend, moment: AsOf) -> Closure:
        walk = Walk(
            key, walked, moment.size, followed, tuple(kinds), depth, tuple(roles), place, wanted, moment.at_us
        )
        root = root_of(backend, key, moment)
        if place:
            root_of(backend, place, moment, "place")
        page = backend.closure(walk, after=cursor, limit=limit)
        reader = Reader(moment)
        nodes = reader.of_refs([root, *page.nodes])
        found = backend.edges_among(nodes, shown_types(walk, root), moment.size)
        return Closure(
            root=key,
            root_node=nodes.pop(key),
            tree_size=moment.size,
            projected=moment.projected,
            backend=backend.name,
            total=page.total,
            counts_by_kind=dict(page.counts_by_kind),
            counts_by_status=count_statuses(page, walk, reader, walk_again=statuses),
            nodes=tuple(nodes.values()),
            edges=tuple(reader.edge(edge) for edge in found),
            next=_cursor(page.next, moment, backend),
        )

    if wanted:
        return graph_choice.in_database(as_of, question)
    neo4j_goes_on = (cursor or "").startswith("neo4j.")  # in an order of its own
    return graph_choice.answer(as_of, question, by_index=not neo4j_goes_on)


def _cursor(place: str | None, moment: AsOf, backend: Backend) -> str | None:
    """Where a list goes on. Neo4j's order is that of one tree size, so its cursors bring the size along."""
    return f"{moment.size}~{place}" if place is not None and backend.name == "neo4j" else place


def _continued(as_of: AsOf, after: str | None) -> tuple[AsOf, str | None]:
    """The moment that a list is continued at, and the backend's own cursor.

    Raises: MalformedError, ConflictError where the cursor is of another moment.
    """
    size, separator, place = (after or "").partition("~")
    if not separator:
        return as_of, after
    if not (size.isascii() and size.isdigit() and len(size) <= 18):
        raise MalformedError("This cursor belongs to no page of this list.", where="after")
    if as_of.live and int(size) <= as_of.head:
        return replace(as_of, size=int(size), live=False), place
    if int(size) != as_of.size:
        raise ConflictError(
            f"This cursor is of the list as of tree size {size}.",
            hint="Ask with the same `as_of` as for the first page, or begin again without `after`.",
            where="after",
        )
    return as_of, place


def count_statuses(
    page: ClosurePage, walk: Walk, reader: Reader, *, walk_again: bool
) -> dict[str, int] | None:
    """How many nodes of the closure have each status; None where that isn't known, or not at this price."""
    if page.counts_by_status is not None:
        return dict(page.counts_by_status)
    if not belief.statuses_known(walk.size):
        return None
    if page.members is not None:
        counts = sql_nodes.counts(list(sql_nodes.rows_of(page.members).values()), reader.moment)
        return sql_nodes.sums((status, count) for (_, status), count in counts.items())
    return dict(SqlBackend().closure(walk, limit=1).counts_by_status or {}) if walk_again else None


def shown_types(walk: Walk, root: NodeRef) -> tuple[EdgeType, ...]:
    """The edges that the walk may follow, which are shown among the page's nodes and the root."""
    if not walk.types and root.kind in OPENING_KINDS:
        return (*walk.followed, *OPENING_EDGES)
    return walk.followed


def _direction(text: str) -> Direction:
    try:
        return Direction(text)
    except ValueError:
        raise MalformedError("The direction is ancestors or descendants.", where="direction") from None


def _status(text: str) -> str:
    if text not in STATUSES:
        raise MalformedError(
            f"There is no status {text[:50]!r}; there are {', '.join(STATUSES)}.", where="status"
        )
    return text


def _edge_type(text: str) -> EdgeType:
    try:
        return EdgeType(text)
    except ValueError:
        known = ", ".join(EdgeType)
        raise MalformedError(
            f"There is no edge type {text[:50]!r}; there are {known}.", where="edge"
        ) from None


def paths(source: str, target: str, as_of: AsOf, *, limit: int = 10) -> list[PathRecord]:
    """How one node comes from the other: at most `limit` (100) paths, shortest first, from source to target.

    Either of the two may be the effect. No path: an empty list.

    Raises: NotFoundError where one of them was not known at the moment.
    """
    limit = max(1, min(limit, MAX_PATHS))

    def question(backend: Backend, moment: AsOf) -> list[PathRecord]:
        first, last = root_of(backend, source, moment, "from"), root_of(backend, target, moment, "to")
        found = backend.paths(first.key, last.key, moment.size, limit)
        if not found:
            found = [path[::-1] for path in backend.paths(last.key, first.key, moment.size, limit)]
        return _told(found, backend, Reader(moment)) if found else []

    return graph_choice.answer(as_of, question)


def _told(found: Sequence[Sequence[str]], backend: Backend, reader: Reader) -> list[PathRecord]:
    keys = sorted({key for path in found for key in path})
    nodes = reader.of_refs(backend.nodes(keys, reader.as_of.size))
    edges = _edges_of(found, backend, reader.as_of.size)
    return [_path(path, nodes, edges, reader) for path in found]


def _edges_of(found: Sequence[Sequence[str]], backend: Backend, size: int) -> dict[frozenset[str], EdgeRef]:
    """An edge for each step: of several the lineage edge with the earliest support."""
    steps = {frozenset(pair) for path in found for pair in pairwise(path)}
    keys = {key for path in found for key in path}
    best: dict[frozenset[str], EdgeRef] = {}
    edges = backend.edges_among(keys, (*LINEAGE_EDGES, *OPENING_EDGES), size)
    for edge in sorted(edges, key=lambda edge: edge.type in OPENING_EDGES):
        step = frozenset((edge.source, edge.target))
        if step in steps:
            best.setdefault(step, edge)
    return best


def _path(
    path: Sequence[str],
    nodes: Mapping[str, NodeSummary],
    edges: Mapping[frozenset[str], EdgeRef],
    reader: Reader,
) -> PathRecord:
    steps: tuple[EdgeRecord, ...] = tuple(reader.edge(edges[frozenset(pair)]) for pair in pairwise(path))
    return PathRecord(tuple(nodes[key] for key in path), steps, len(path) - 1)
