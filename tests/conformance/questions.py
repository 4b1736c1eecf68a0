"""Every question of the backend protocol, asked of a backend and of the reference, and compared.

A list in an order that the protocol leaves open is compared as what it must be: each element once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import TypeVar

import pytest

from lineage.errors import MalformedError, NotFoundError
from lineage.graph import sql_nodes
from lineage.graph.backend import OPENING_EDGES, Backend, Direction, EdgeRef, GraphEntry, NodeRef, Walk
from lineage.graph.model import LINEAGE_EDGES, EdgeType
from lineage.graph.sql_backend import SqlBackend
from tests.conformance.reference import Reference
from tests.conformance.story import artifact, keys_of
from tests.soak import SOAK

T = TypeVar("T")
StatusOf = Callable[[str, int], str]
LATE_US = 1 << 60
"""A time after all that is said."""
STATUSES = (("verified",), ("unverified", "failed"), ("expired",))
UNKNOWN = artifact(0xDEAD)
TYPES = tuple(EdgeType)
FILTERS: tuple[tuple[EdgeType, ...], ...] = (
    TYPES,
    LINEAGE_EDGES,
    OPENING_EDGES,
    (EdgeType.USED,),
    (EdgeType.SAME_AS,),
    (EdgeType.PART_OF,),
    (EdgeType.SAME_AS, EdgeType.WAS_DERIVED_FROM),
    (EdgeType.PART_OF, EdgeType.WAS_ASSOCIATED_WITH),
)
"""Few, because Neo4j plans each anew, which takes longer than an answer. Each half has `SAME_AS` in it."""
UNLIMITED = 10_000
DEPTHS = {Direction.ANCESTORS: (1, 2, 30), Direction.DESCENDANTS: (1, 3, 30)}
"""What Neo4j is asked for; the others are asked for each both ways."""
MOST_PAIRS = 10
MOST_FILTERED = 4
MOST_PAGES = 4
"""Of one list; a shorter page is asked for where the list is short."""
LONG = 1_000


@dataclass
class Comparison:
    """The answers of one backend, fed with `entries`, against the reference. `asked` counts the questions.

    `status_of`: the status of a node as of a tree size, read otherwise; None where the backend knows none.
    `references`, by tree size, may be shared by comparisons of the same entries.
    """

    backend: Backend
    entries: Sequence[GraphEntry]
    status_of: StatusOf | None = None
    references: dict[int, Reference] = field(default_factory=dict)
    asked: int = 0

    @property
    def size(self) -> int:
        return len(self.entries)

    @property
    def sparing(self) -> bool:
        """Whether all edges, depths, lengths and ways are asked for, but not each with each.

        A small answer of Neo4j takes many times as long as one of the tables, and each text a plan.
        """
        return self.backend.name == "neo4j" and not SOAK

    def edges(self, draw: random.Random, half: bool) -> tuple[EdgeType, ...]:
        """Some of `FILTERS`; of one half of them where that is tied to something else."""
        return draw.choice(FILTERS[half::2] if self.sparing else FILTERS)

    def along(self, draw: random.Random, root: str, direction: Direction, size: int, depth: int) -> Walk:
        """A walk over some edges; over those of the half that goes with this way and depth."""
        half = (direction is Direction.ANCESTORS) == (depth == UNLIMITED)
        return Walk(root, direction, size, self.edges(draw, half), depth=depth)

    def at(self, size: int) -> Reference:
        if size not in self.references:
            self.references[size] = Reference(self.entries, size)
        return self.references[size]

    def node(self, key: str, size: int) -> None:
        self.asked += 1
        assert self.backend.node(key, size) == self.at(size).node(key), (key, size)

    def nodes(self, keys: Sequence[str], size: int) -> None:
        self.asked += 1
        found = (self.at(size).node(key) for key in keys)
        assert self.backend.nodes(keys, size) == [node for node in found if node is not None], (keys, size)

    def closure(self, walk: Walk, *, limit: int = 1_000, pages: int = 0) -> None:
        """All pages of a closure, of `limit` nodes or more, and its counts on each of them.

        `pages`: at most so many; 0: as many as is usual. Where that is spared these are two; of a long list
        the first two, and all of it is asked for by `pages` and by `members`.
        """
        reference, shown, after = self.at(walk.size), list[NodeRef](), None
        if reference.node(walk.root) is None:
            self._refused(walk)
            return
        expected = reference.closure(walk)
        if walk.at_us is not None:
            assert self.status_of is not None
            statuses = {node: self.status_of(node.key, walk.size) for node in expected}
            expected = {node for node in expected if not walk.statuses or statuses[node] in walk.statuses}
        begun = self.sparing and not pages and len(expected) > LONG
        pages = pages or (2 if self.sparing else MOST_PAGES)
        counts = Counter(node.kind for node in expected)
        limit = limit if begun else max(limit, -(-len(expected) // pages))
        for _ in range(2 if begun else len(expected) // limit + 1):
            self.asked += 1
            page = self.backend.closure(walk, after=after, limit=limit)
            assert page.total == len(expected), (walk, shown)
            assert dict(page.counts_by_kind) == counts, walk
            if walk.at_us is not None:
                by_status = Counter(statuses[node] for node in expected)
                assert dict(page.counts_by_status or {}) == by_status, walk
            assert len(page.nodes) <= limit
            assert page.members is None or set(page.members) == {node.key for node in expected}, walk
            shown += page.nodes
            after = page.next
            if after is None:
                break
        assert len({node.key for node in shown}) == len(shown), (walk, "a node on two pages")
        if begun and after is not None:
            assert len(shown) == 2 * limit, walk
            assert set(shown) < expected, walk
            return
        assert after is None, (walk, "more pages than nodes")
        assert set(shown) == expected, walk

    def _refused(self, walk: Walk) -> None:
        self.asked += 1
        with pytest.raises(NotFoundError):
            self.backend.closure(walk)

    def unknown(self, walk: Walk) -> None:
        """Both questions about a walk from what was not known yet."""
        self._refused(walk)
        self.asked += 1
        with pytest.raises(NotFoundError):
            self.backend.members(walk, 10)

    def foreign_cursor(self, walk: Walk) -> None:
        """A cursor that names nothing is refused; that of another list is refused or goes on without harm."""
        self.asked += 1
        with pytest.raises(MalformedError):
            self.backend.closure(walk, after="nothing:of-the-kind", limit=1)

    def members(self, walk: Walk) -> None:
        expected = self.at(walk.size).closure(walk)
        self.asked += 2
        found = self.backend.members(walk, len(expected))
        assert found is not None, walk
        assert len(found) == len(expected), walk
        assert set(found) == expected, walk
        if expected:
            assert self.backend.members(walk, len(expected) - 1) is None, walk

    def counted_members(self, walk: Walk) -> None:
        """All with the counts of a page, or the counts alone; by row ids or as nodes."""
        self.asked += 2
        keys = [ref.key for ref in self.at(walk.size).closure(walk)]
        total = len(keys)
        page = self.backend.closure(walk, limit=1)
        for most in (total, total - 1) if total else (total,):
            found = self.backend.counted_members(walk, most)
            told = (found.total, found.counts_by_kind, found.counts_by_status, found.complete)
            assert told == (total, page.counts_by_kind, page.counts_by_status, most >= total), walk
            if found.rows is not None:
                assert found.rows == sorted(sql_nodes.rows_of(keys).values()), walk
            if found.nodes is not None:
                assert sorted(ref.key for ref in found.nodes) == sorted(keys), walk

    def edges_among(self, keys: Collection[str], types: Sequence[EdgeType], size: int) -> None:
        """With their support and without; where that is spared, half of `FILTERS` so and half so."""
        expected = self.at(size).edges_among(set(keys), types)
        if not (self.sparing and types in FILTERS[1::2]):
            self.asked += 1
            self._same_edges(self.backend.edges_among(keys, types, size), expected)
        links = [(edge.source, edge.type, edge.target) for edge in expected]
        if not (self.sparing and types in FILTERS[::2]):
            self.asked += 1
            assert sorted(self.backend.links_among(keys, types, size)) == sorted(links), (keys, types, size)
        if isinstance(self.backend, SqlBackend):
            rows = {row: key for key, row in sql_nodes.rows_of(keys).items()}
            by_rows = self.backend.links_among(keys, types, size, rows)
            assert sorted(by_rows) == sorted(links), (keys, types, size)

    def neighbours(self, key: str, types: Sequence[EdgeType], size: int, *, causes: bool) -> None:
        """All of them; then the first ones, of which those of the same first index are free."""
        expected = self.at(size).neighbours(key, types, causes=causes)
        self.asked += 1
        found = self.backend.neighbours(key, types, size, causes=causes, limit=len(expected) + 1)
        self._same_edges(found, expected)
        if len(expected) > 1:
            self.asked += 1
            most = len(expected) // 2
            first = self.backend.neighbours(key, types, size, causes=causes, limit=most)
            indexes = sorted(edge.first_index for edge in expected)[:most]
            assert [edge.first_index for edge in first] == indexes, (key, types, size, causes)
            assert set(first) <= set(expected)
            assert len(set(first)) == most

    def _same_edges(self, found: list[EdgeRef], expected: list[EdgeRef]) -> None:
        assert sorted(map(_row, found)) == sorted(map(_row, expected))
        indexes = [edge.first_index for edge in found]
        assert indexes == sorted(indexes), "by first index"

    def paths(self, effect: str, cause: str, size: int, *, limit: int = 6) -> None:
        self.asked += 1
        found = self.backend.paths(effect, cause, size, limit)
        reference, asked = self.at(size), (effect, cause, size)
        if reference.node(effect) is None or reference.node(cause) is None:
            assert not found, asked
            return
        lengths = [len(path) for path in islice(reference.paths(effect, cause), limit)]
        assert [len(path) for path in found] == lengths, asked
        assert len(set(found)) == len(found), (asked, "a path twice")
        for path in found:
            assert reference.is_path(path, effect, cause), (asked, path)

    # What every case is asked

    def everything(
        self,
        *,
        roots: Sequence[str] = (),
        sizes: Sequence[int] = (),
        pairs: Sequence[tuple[str, str]] = (),
        filtered: Sequence[str] = (),
        seed: int = 0,
    ) -> int:
        """The closures of `roots` at every one of `sizes`; every other question at some of both.

        Nothing given: of all nodes, at every size, between `MOST_PAIRS` pairs. Returns how many were asked.
        """
        draw = random.Random(seed)
        roots = roots or keys_of(self.entries)
        sizes = sizes or range(self.size + 1)
        pairs = pairs or _some(list(combinations(roots, 2)), MOST_PAIRS, draw)
        assert self.backend.projected() == self.size
        for size in sizes:
            self.at_size(size, roots, draw)
        for effect, cause in pairs:
            for one, other in ((effect, cause), (cause, effect)):
                self.paths(one, other, self.size)
                if not self.sparing or one == effect:
                    self.paths(one, other, draw.choice(sizes))
        if roots:
            self.paths(roots[0], roots[0], self.size)
            self.paths(roots[0], UNKNOWN, self.size)
            self.paths(UNKNOWN, roots[0], self.size)
        for root in filtered or _some(roots, 2 if self.sparing else MOST_FILTERED, draw):
            self.filtered(root, self.size, draw)
        return self.asked

    def at_size(self, size: int, roots: Sequence[str], draw: random.Random) -> None:
        """Every root is looked up and walked from, both ways where it was known and one where it was not.

        Which one, goes by turns; Neo4j is asked so at all sizes but the last.
        One root at a time is asked with filters, and alone: another at each size, more of them at the last.
        `make soak` asks more of them, and both ways, at every size.
        """
        known, more = self.at(size).kinds, SOAK or size == self.size
        for number, root in enumerate(roots, size):
            either = tuple(Direction)[number % 2 :][:1]
            for direction in Direction if more or (root in known and not self.sparing) else either:
                self.closure(Walk(root, direction, size))
        for direction in tuple(Direction)[size % 2 :][:1] if self.sparing and not more else Direction:
            self.unknown(Walk(UNKNOWN, direction, size))
        some = _some(roots, 12, draw)
        alone, filtered = (roots, some[:2]) if more else (some[:1], some[:1])
        for root in (*alone, UNKNOWN):
            self.node(root, size)
        self.nodes([*roots, UNKNOWN], size)
        self.nodes(some[:2], size)
        for keys in ([*some, UNKNOWN], some[:2]):
            self.edges_among(keys, draw.choice(FILTERS), size)
        for root in filtered:
            self.closure(Walk(root, draw.choice(tuple(Direction)), size, kinds=("model", "dataset")))
            self.closure(self.along(draw, root, draw.choice(tuple(Direction)), size, 2))
            for causes in (True, False):
                self.neighbours(root, self.edges(draw, causes), size, causes=causes)
            self.kept(root, size, draw)

    def kept(self, root: str, size: int, draw: random.Random) -> None:
        """Filters that many nodes of the walk don't pass: by role, place and status, alone and together."""
        direction = draw.choice(tuple(Direction))
        roles = draw.choice((("model",), ("dataset", "модель"), ("no such role", "code")))
        self.closure(Walk(root, direction, size, roles=roles))
        places = [key for key, kind in self.at(size).kinds.items() if kind == "place"]
        place = draw.choice(places) if places else ""
        if place:
            self.closure(Walk(root, direction, size, place=place))
            self.closure(Walk(root, direction, size, kinds=("artifact",), roles=("model",), place=place))
        if self.status_of is not None:
            self.closure(Walk(root, direction, size, at_us=LATE_US))
            for wanted in STATUSES:
                self.closure(Walk(root, direction, size, statuses=wanted, at_us=LATE_US), limit=3)
            wanted = STATUSES[draw.randrange(2)]
            self.closure(
                Walk(root, direction, size, roles=roles, place=place, statuses=wanted, at_us=LATE_US)
            )

    def filtered(self, root: str, size: int, draw: random.Random) -> None:
        """Depths, edges, kinds, roles and pages of every length, of one root's closures."""
        for direction in Direction:
            plain = Walk(root, direction, size)
            total = len(self.at(size).closure(plain))
            for limit in _page_lengths(total, 2 if self.sparing else 4):
                self.closure(plain, limit=limit, pages=7)
            self.members(plain)
            self.counted_members(plain)
            self.foreign_cursor(plain)
            for depth in DEPTHS[direction] if self.sparing else (1, 2, 3, 30):
                self.closure(Walk(root, direction, size, depth=depth), limit=draw.randrange(1, 50))
            for depth in (2, UNLIMITED, draw.choice((2, UNLIMITED))):
                self.closure(self.along(draw, root, direction, size, depth))
            for kinds in (
                ("artifact",),
                ("model", "system"),
                ("run", "dataset"),
                ("hardware", "no such role"),
            ):
                walk = Walk(root, direction, size, kinds=kinds, depth=draw.choice((2, UNLIMITED)))
                self.closure(walk, limit=draw.randrange(1, 9))
            self.members(walk)
        if self.at(size).node(root) is not None:
            self.asked += 1
            with pytest.raises(NotFoundError):
                self.backend.closure(Walk(root, Direction.ANCESTORS, size, place=UNKNOWN))
        self.edges_among((), TYPES, size)
        self.edges_among((root,), (), size)
        for key in (root, UNKNOWN):
            self.neighbours(key, TYPES, size, causes=True)
            self.neighbours(key, (), size, causes=False)


def _row(edge: EdgeRef) -> tuple[object, ...]:
    return edge.source, edge.type, edge.target, edge.first_index, edge.support


def _page_lengths(total: int, most: int) -> Iterator[int]:
    """Every length for a short list; for a long one a usual one and `most` - 1 around its length."""
    if total <= 6:
        yield from range(1, total + 2)
    else:
        yield from (max(1, total // 5), total, total - 1, total + 1)[:most]


def _some(values: Sequence[T], most: int, draw: random.Random) -> list[T]:
    return draw.sample(values, min(len(values), most))
