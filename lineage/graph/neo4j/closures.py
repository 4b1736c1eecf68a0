"""Closures in Neo4j: counts without fetching nodes, and pages.

Owns: the order of a list and its cursor. A closure of at most `WHOLE` nodes is fetched whole and ordered as
the log named its nodes. A greater one is paged in the order of the walk, nearest first: sorting 160,000
nodes takes a second, a page of them a few milliseconds. That order is Neo4j's own, so a cursor carries a
checksum of what was shown before it, and a list that has changed there is refused (docs/adr/0017).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

from lineage.errors import NotFoundError
from lineage.graph.backend import OPENING_KINDS, PLACE_HOPS, ClosurePage, Direction, NodeRef, Walk
from lineage.graph.model import NodeKind
from lineage.graph.neo4j import queries
from lineage.graph.neo4j.cursor import Shown, after_seq, changed_list, seq_cursor
from lineage.graph.neo4j.driver import Row, Transaction
from lineage.graph.neo4j.nodes import Begun, node_ref

WHOLE = 1_000
"""Nodes of a closure that is fetched at once."""
KEPT_COUNTS = 512
"""Closures whose counts a process remembers."""

SEQ = 7
"""The column of `queries.closure_nodes` after those of a node."""


class Counts:
    """Counts of closures as of a tree size: within one generation of the graph they never change."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, Walk], dict[str, int]] = OrderedDict()

    def get(self, generation: int, walk: Walk) -> dict[str, int] | None:
        with self._lock:
            found = self._kept.get((generation, walk))
            if found is not None:
                self._kept.move_to_end((generation, walk))
            return found

    def keep(self, generation: int, walk: Walk, counts: dict[str, int]) -> None:
        with self._lock:
            self._kept[generation, walk] = counts
            while len(self._kept) > KEPT_COUNTS:
                self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Listed:
    """A page, whatever its order."""

    rows: Sequence[Row]
    next: str | None


class Closure:
    """One walk, asked within one transaction."""

    def __init__(self, tx: Transaction, walk: Walk, begun: Begun, counts: Counts) -> None:
        """`begun` is about the root. Raises: NotFoundError where the root or place was not known."""
        self._tx, self._walk, self._generation, self._known = tx, walk, begun.generation, counts
        self._reach = self._form(_kind(begun.node, walk.root, walk.size))
        self._front: list[Row] = []  # the first nodes of a closure that was too great to be fetched whole
        self._parameters: dict[str, object] = {
            "root": walk.root,
            "size": walk.size,
            "kinds": list(walk.kinds),
            "any_kind": not walk.kinds,
            "only": list(walk.roles),
            "any_role": not walk.roles,
            "places": self._places(),
        }

    def page(self, after: str | None, limit: int) -> ClosurePage:
        whole = self._whole(WHOLE)
        if whole is not None:
            listed = _ordered_page(whole, after, limit)
            members = tuple(row[0] for row in whole)
        else:
            listed, members = self._walked_page(after, limit), None
        counts = self._counts()
        return ClosurePage(
            total=sum(counts.values()),
            counts_by_kind=dict(sorted(counts.items())),
            nodes=tuple(node_ref(row, self._walk.size) for row in listed.rows),
            next=listed.next,
            members=members,
        )

    def members(self, most: int) -> tuple[NodeRef, ...] | None:
        whole = self._whole(most)
        return None if whole is None else tuple(node_ref(row, self._walk.size) for row in whole)

    def _form(self, kind: NodeKind) -> queries.Reach:
        """`kind` is the root's."""
        walk = self._walk
        assert not walk.statuses, "Neo4j knows no statuses"
        opens = not walk.types and kind in OPENING_KINDS
        return queries.Reach(
            walk.direction,
            walk.followed,
            opens=opens,
            machines=opens and kind is NodeKind.PLACE and walk.direction is Direction.DESCENDANTS,
            depth=walk.depth,
            kept=bool(walk.kinds or walk.roles),
            place=bool(walk.place),
        )

    def _places(self) -> list[str]:
        """The walk's place with those within it. Raises: NotFoundError where it was not known."""
        place, size = self._walk.place, self._walk.size
        if not place:
            return []
        _kind(self._tx.first(queries.NODE, key=place, size=size), place, size)
        places = level = {place}
        for _ in range(PLACE_HOPS):
            rows = self._tx.rows(queries.PLACES_WITHIN, keys=sorted(level), size=size)
            level = {str(key) for (key,) in rows} - places
            places = places | level
        return sorted(places)

    def _whole(self, most: int) -> list[Row] | None:
        """All nodes in the log's order, or None where there are more than `most`."""
        counts = self._known.get(self._generation, self._walk)
        if counts is not None and sum(counts.values()) > most:
            return None
        rows = self._nodes(0, most + 1)
        if len(rows) > most:
            self._front = rows
            return None
        rows.sort(key=lambda row: int(row[SEQ]))
        self._known.keep(self._generation, self._walk, dict(Counter(str(row[1]) for row in rows)))
        return rows

    def _counts(self) -> Mapping[str, int]:
        counts = self._known.get(self._generation, self._walk)
        if counts is None:
            rows = self._tx.rows(queries.closure_counts(self._reach), **self._parameters)
            counts = {str(kind): int(count) for kind, count in rows}
            self._known.keep(self._generation, self._walk, counts)
        return counts

    def _nodes(self, skip: int, most: int) -> list[Row]:
        return self._tx.rows(queries.closure_nodes(self._reach), skip=skip, most=most, **self._parameters)

    def _walked_page(self, after: str | None, limit: int) -> _Listed:
        before = Shown.parse(after) if after is not None else Shown()
        if before.count:
            query = queries.closure_shown(self._reach)
            found = self._tx.first(query, most=before.count, **self._parameters)
            if found is None or Shown(*found) != before:
                raise changed_list()
        total = sum(self._counts().values())
        fetched = before.count == 0 and limit <= len(self._front)
        rows = self._front[:limit] if fetched else self._nodes(before.count, limit)
        if len(rows) < min(limit, total - before.count):
            raise changed_list()
        shown = before.with_more(int(row[SEQ]) for row in rows)
        return _Listed(rows, shown.cursor() if shown.count < total else None)


def _kind(node: Row | None, key: str, size: int) -> NodeKind:
    """Raises: NotFoundError where it was not known."""
    if node is None:
        raise NotFoundError(f"No node {key[:200]} is known with the first {size} entries.")
    return NodeKind(node[1])


def _ordered_page(rows: list[Row], after: str | None, limit: int) -> _Listed:
    if after is not None:
        seq = after_seq(after)
        rows = [row for row in rows if row[SEQ] > seq]
    shown = rows[:limit]
    return _Listed(shown, seq_cursor(int(shown[-1][SEQ])) if shown and len(rows) > limit else None)
