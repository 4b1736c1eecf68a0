"""The graph tables of the database as a graph backend: node keys outside, row ids inside.

Owns: turning keys into rows and back, and asking the closure index (`index`) where there is one. Does not
own: the walks (`sql_walk`), paths (`sql_paths`), edges (`sql_edges`, `sql_links`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.graph import sql_closure, sql_edges, sql_links, sql_nodes, sql_paths, sql_walk
from lineage.graph.backend import ClosurePage, EdgeRef, Link, Members, NodeRef, Supporter, Walk
from lineage.graph.index import door as closure_index
from lineage.graph.index import marks
from lineage.graph.model import EdgeType, NodeKind
from lineage.graph.sql_closure import Listed
from lineage.graph.sql_query import fetch, id_table, text_table

if TYPE_CHECKING:
    from lineage.graph.index.closures import Found
    from lineage.graph.index.live import Ready


class SqlBackend:
    """Implements `graph.backend.Backend`. Lists are in the order in which the log first named their nodes."""

    name = "sql"

    def projected(self) -> int:
        rows = fetch("SELECT projected FROM graph_state WHERE id = 1")
        return int(rows[0][0]) if rows else 0

    def node(self, key: str, size: int) -> NodeRef | None:
        found = sql_walk.find(key, size)
        return _refs([found[0]], size)[0] if found else None

    def nodes(self, keys: Sequence[str], size: int) -> list[NodeRef]:
        known = sql_nodes.rows_of(keys)
        return _refs([known[key] for key in keys if key in known], size)

    def closure(self, walk: Walk, *, after: str | None = None, limit: int = 100) -> ClosurePage:
        found = self._found(walk)
        rows = found.page(None if after is None else _cursor(after, walk.size), limit + 1)
        shown = _refs(rows[:limit], walk.size)
        return ClosurePage(
            total=found.total,
            counts_by_kind=found.counts_by_kind,
            nodes=tuple(shown),
            next=shown[-1].key if shown and len(rows) > limit else None,
            counts_by_status=found.counts_by_status,
        )

    def members(self, walk: Walk, most: int) -> tuple[NodeRef, ...] | None:
        found = self._found(walk)
        return tuple(_refs(found.page(None, most), walk.size)) if found.total <= most else None

    def counted_members(self, walk: Walk, most: int) -> Members:
        found = self._found(walk)
        rows = found.page(None, most) if found.total <= most else None
        return Members(found.total, found.counts_by_kind, rows, None, counts_by_status=found.counts_by_status)

    def rows(self, walk: Walk) -> list[int]:
        """Row ids of the closure, ascending, without the root. Raises: as `closure`."""
        found = self._found(walk)
        return found.page(None, found.total)

    def levels(self, walk: Walk) -> list[set[int]]:
        """Row ids by how many edges they are away, the root alone at 0; without the walk's filters.

        Raises: NotFoundError where the root was not known.
        """
        root, kind = _known(sql_walk.find(walk.root, walk.size), walk.root, walk)
        index = self._index(walk.size)
        if index is None:
            return sql_walk.levels_in_tables(root, kind, walk.way, walk.depth)
        return index.levels(root, walk.way, walk.depth, ())

    def _found(self, walk: Walk) -> Listed | Found:
        root, kind = _known(sql_walk.find(walk.root, walk.size), walk.root, walk)
        place = _known(sql_walk.find(walk.place, walk.size), walk.place, walk)[0] if walk.place else None
        index = self._index(walk.size)
        if index is None:
            return sql_closure.closure(root, kind, walk, place)
        return index.found(root, walk, place)

    def _index(self, size: int) -> Ready | None:
        """The closure index that answers, or None where the tables do."""
        return closure_index.ready(size)

    def edges_among(self, keys: Collection[str], types: Sequence[str], size: int) -> list[EdgeRef]:
        names = _names(keys)
        found = sql_edges.supported(sql_edges.rows_among(names, types, size), size) if types else []
        return _edge_refs(found, names)

    def links_among(
        self, keys: Collection[str], types: Sequence[str], size: int, rows: Mapping[int, str] | None = None
    ) -> list[Link]:
        names = _names(keys) if rows is None else rows
        found = self._links(names, types, size) if types else []
        return [(names[source], kind, names[target]) for source, kind, target in found]

    def _links(self, rows: Collection[int], types: Sequence[str], size: int) -> Iterable[sql_links.Link]:
        return sql_links.among(rows, types, size)

    def neighbours(
        self, key: str, types: Sequence[str], size: int, *, causes: bool, limit: int
    ) -> list[EdgeRef]:
        found = sql_walk.find(key, size)
        if found is None or not types:
            return []
        rows = sql_edges.rows_touching(found[0], types, size, causes=causes, limit=limit)
        names = _keys({node for row in rows for node in (row[1], row[3])})
        return _edge_refs(sql_edges.supported(rows, size), names)

    def paths(self, effect: str, cause: str, size: int, limit: int) -> list[tuple[str, ...]]:
        first, last = sql_walk.find(effect, size), sql_walk.find(cause, size)
        if first is None or last is None:
            return []
        index = self._index(size)
        if index is None:
            found = sql_paths.shortest(first[0], last[0], NodeKind(last[1]), size, limit)
        else:
            found = index.paths(first[0], last[0], size, limit)
        names = _keys({node for path in found for node in path})
        return [tuple(names[node] for node in path) for path in found]


class IndexBackend(SqlBackend):
    """The same by one closure index, whatever comes meanwhile: names and support are the tables' still."""

    name = "index"

    def __init__(self, ready: Ready) -> None:
        self._ready = ready

    def _index(self, size: int) -> Ready | None:
        return self._ready

    def _links(self, rows: Collection[int], types: Sequence[str], size: int) -> Iterable[sql_links.Link]:
        found = self._ready.links(rows, [EdgeType(name) for name in types], size)
        if EdgeType.SAME_AS in types:  # of which the index does not know from which of the two it was said
            found += sql_links.among(self._ready.twins(rows, size), [EdgeType.SAME_AS.value], size)
        return found

    def still_holds(self) -> bool:
        """Whether the tables are the ones that the index was made of, so that both spoke of one graph."""
        return marks.holds(self._ready.mark)


def _known(found: tuple[int, NodeKind] | None, key: str, walk: Walk) -> tuple[int, NodeKind]:
    if found is None:
        raise NotFoundError(f"No node {key[:200]} is known with the first {walk.size} entries.")
    return found


def _cursor(after: str, size: int) -> int:
    if after.startswith("neo4j."):
        raise ConflictError(
            "Another backend answers now, which orders this list differently.",
            hint="Begin again without `after`.",
            where="after",
        )
    found = sql_walk.find(after, size)
    if found is None:
        raise MalformedError("This cursor belongs to no page of this list.", where="after")
    return found[0]


def _refs(rows: Sequence[int], size: int) -> list[NodeRef]:
    """In the order of `rows`."""
    table, listed = id_table(rows)
    sql = f"SELECT id, key, kind, first_index FROM graph_node WHERE id IN {table} AND first_index < %s"
    found = {row: NodeRef(key, kind, first, row=row) for row, key, kind, first in fetch(sql, [*listed, size])}
    return [found[row] for row in rows if row in found]


def _names(keys: Collection[str]) -> dict[int, str]:
    """Row id → key of those that exist."""
    table, listed = text_table(keys)
    return dict(fetch(f"SELECT id, key FROM graph_node WHERE key IN {table}", listed))


def _keys(rows: Collection[int]) -> dict[int, str]:
    table, listed = id_table(rows)
    return dict(fetch(f"SELECT id, key FROM graph_node WHERE id IN {table}", listed))


def _edge_refs(found: Iterable[sql_edges.Supported], names: Mapping[int, str]) -> list[EdgeRef]:
    found = list(found)
    signers = _keys({signer for _, support in found for signer, _, _ in support})
    return [
        EdgeRef(
            names[source],
            kind,
            names[target],
            first,
            tuple(sorted(Supporter(index, signers[signer], trust) for signer, index, trust in support)),
        )
        for (_, source, kind, target, first), support in found
    ]
