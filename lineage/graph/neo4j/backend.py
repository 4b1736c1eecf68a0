"""Neo4j as a graph backend: each question in one read transaction, with the watermark before and after.

Owns: that an answer is of one graph, whole as of the tree size; turning rows into values. Does not own: the
texts (`queries`), closures (`closures`), paths (`paths`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from lineage.errors import UnavailableError
from lineage.graph.backend import ClosurePage, EdgeRef, Link, Members, NodeRef, Supporter, Walk
from lineage.graph.neo4j import closures, paths, queries
from lineage.graph.neo4j.driver import Client, Row, Transaction
from lineage.graph.neo4j.nodes import Begun, node_ref
from lineage.service_urls import Bolt

T = TypeVar("T")
LISTED = 2_000
"""Nodes that are asked for together with the counts; a bigger closure is first counted, then listed."""


class Neo4jBackend:
    """Implements `graph.backend.Backend`."""

    name = "neo4j"

    def __init__(self, bolt: Bolt) -> None:
        self._client = Client(bolt)
        self._counts = closures.Counts()

    def projected(self) -> int:
        row = self._client.read(lambda tx: tx.first(queries.STILL))
        return int(row[1]) if row else 0

    def node(self, key: str, size: int) -> NodeRef | None:
        return self._ask(size, lambda _, begun: node_ref(begun.node, size) if begun.node else None, about=key)

    def nodes(self, keys: Sequence[str], size: int) -> list[NodeRef]:
        rows = self._ask(size, lambda tx, _: tx.rows(queries.NODES, keys=list(keys), size=size))
        known = {row[0]: node_ref(row, size) for row in rows}
        return [known[key] for key in keys if key in known]

    def closure(self, walk: Walk, *, after: str | None = None, limit: int = 100) -> ClosurePage:
        def question(tx: Transaction, begun: Begun) -> ClosurePage:
            return closures.Closure(tx, walk, begun, self._counts).page(after, limit)

        return self._ask(walk.size, question, about=walk.root)

    def members(self, walk: Walk, most: int) -> tuple[NodeRef, ...] | None:
        def question(tx: Transaction, begun: Begun) -> tuple[NodeRef, ...] | None:
            return closures.Closure(tx, walk, begun, self._counts).members(most)

        return self._ask(walk.size, question, about=walk.root)

    def counted_members(self, walk: Walk, most: int) -> Members:
        listed = min(most, LISTED)
        page = self.closure(walk, limit=listed)
        nodes = page.nodes if page.total <= listed else None
        if nodes is None and page.total <= most:
            nodes = self.members(walk, most)
        return Members(page.total, page.counts_by_kind, None, nodes, page.members, page.counts_by_status)

    def edges_among(self, keys: Collection[str], types: Sequence[str], size: int) -> list[EdgeRef]:
        if not types:
            return []
        query, wanted = queries.edges_among(types), sorted(set(keys))
        rows = self._ask(size, lambda tx, _: tx.rows(query, keys=wanted, size=size))
        return _edge_refs(rows, size)

    def links_among(
        self, keys: Collection[str], types: Sequence[str], size: int, rows: Mapping[int, str] | None = None
    ) -> list[Link]:
        if not types:
            return []
        query, wanted = queries.links_among(types), sorted(set(keys))
        found = self._ask(size, lambda tx, _: tx.rows(query, keys=wanted, size=size))
        return [(source, kind, target) for source, links in found for kind, target in links]

    def neighbours(
        self, key: str, types: Sequence[str], size: int, *, causes: bool, limit: int
    ) -> list[EdgeRef]:
        if not types:
            return []
        query = queries.neighbours(types, causes=causes)
        rows = self._ask(size, lambda tx, _: tx.rows(query, key=key, size=size, limit=limit))
        return _edge_refs(rows, size)

    def paths(self, effect: str, cause: str, size: int, limit: int) -> list[tuple[str, ...]]:
        def question(tx: Transaction, begun: Begun) -> list[tuple[str, ...]]:
            return paths.shortest(tx, effect, begun, size, limit)

        return self._ask(size, question, about=cause)

    def _ask(self, size: int, question: Callable[[Transaction, Begun], T], *, about: str = "") -> T:
        """Answer from one graph that is far enough, from the first query to the last.

        Args:
            about: key of the node that the question is about, which is read together with the watermark.

        Raises: UnavailableError otherwise.
        """

        def work(tx: Transaction) -> T:
            begun = _begun(tx.first(queries.BEGUN, key=about, size=size), size)
            answer = question(tx, begun)
            still = tx.first(queries.STILL)
            if still is None or still[0] != begun.generation or still[1] < size:
                raise UnavailableError("The graph in Neo4j was emptied or exchanged during the question.")
            return answer

        return self._client.read(work)


def _begun(row: Row | None, size: int) -> Begun:
    """Raises: UnavailableError where there is no graph, or one that is not as far."""
    if row is None:
        raise UnavailableError("There is no graph in Neo4j yet.")
    generation, projected, *node = row
    if projected < size:
        raise UnavailableError(f"The graph in Neo4j has {projected} of the {size} entries asked about.")
    return Begun(generation, node if node[0] is not None else None)


def _edge_refs(rows: Iterable[Row], size: int) -> list[EdgeRef]:
    return [
        EdgeRef(source, kind, target, first, _support(indexes, signers, trusts, size))
        for source, kind, target, first, indexes, signers, trusts in rows
    ]


def _support(indexes: list[int], signers: list[str], trusts: list[str], size: int) -> tuple[Supporter, ...]:
    said = zip(indexes, signers, trusts, strict=True)
    return tuple(sorted(Supporter(*one) for one in said if one[0] < size))
