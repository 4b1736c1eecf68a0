"""Long lists in Neo4j: pages in the order of the walk, and a cursor that no change gets past."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineage.errors import ConflictError
from lineage.graph.backend import Direction, GraphEntry, Walk
from lineage.graph.model import Edge, EdgeType, GraphDelta, NodeKind
from lineage.graph.neo4j import driver
from lineage.graph.neo4j.backend import Neo4jBackend
from lineage.graph.neo4j.closures import WHOLE
from lineage.graph.neo4j.store import Neo4jGraph
from tests.integration.neo4j_graphs import bolt_of

BASE = "sha256:" + "b" * 64
KEY = "key:" + "0" * 64
EFFECTS = WHOLE + 500


def effects(index: int, numbers: range) -> GraphEntry:
    keys = [f"sha256:{number:064x}" for number in numbers]
    nodes = dict.fromkeys([*keys, BASE], NodeKind.ARTIFACT) | {KEY: NodeKind.SIGNER}
    edges = tuple(Edge(key, EdgeType.WAS_DERIVED_FROM, BASE) for key in keys)
    return GraphEntry(index, "signed", ((KEY, GraphDelta(nodes, edges)),))


@pytest.fixture
def graph(fresh_neo4j: str) -> Iterator[Neo4jGraph]:
    made = Neo4jGraph(bolt_of(fresh_neo4j))
    made.start("test.example", "rules")
    made.apply([effects(0, range(EFFECTS))])
    yield made
    driver.close()


@pytest.fixture
def backend(graph: Neo4jGraph, fresh_neo4j: str) -> Neo4jBackend:
    return Neo4jBackend(bolt_of(fresh_neo4j))


def test_every_node_once_while_the_graph_grows(graph: Neo4jGraph, backend: Neo4jBackend) -> None:
    """As of a fixed size, whatever comes meanwhile."""
    walk = Walk(BASE, Direction.DESCENDANTS, 1)
    page = backend.closure(walk, limit=400)
    shown = [node.key for node in page.nodes]
    assert page.members is None
    for index in range(1, 10):
        graph.apply([effects(index, range(EFFECTS + index * 10, EFFECTS + index * 10 + 10))])
        if page.next is None:
            break
        page = backend.closure(walk, after=page.next, limit=400)
        assert (page.total, page.counts_by_kind) == (EFFECTS, {"artifact": EFFECTS})
        shown += [node.key for node in page.nodes]
    assert page.next is None
    assert len(shown) == len(set(shown)) == EFFECTS


def test_a_list_that_changed_before_the_cursor_is_refused(graph: Neo4jGraph, backend: Neo4jBackend) -> None:
    page = backend.closure(Walk(BASE, Direction.DESCENDANTS, 1), limit=400)
    graph.apply([effects(1, range(EFFECTS, EFFECTS + 500))])
    with pytest.raises(ConflictError) as refused:
        backend.closure(Walk(BASE, Direction.DESCENDANTS, 2), after=page.next, limit=400)
    assert "after" in refused.value.hint


def test_a_list_that_became_long_begins_again(graph: Neo4jGraph, backend: Neo4jBackend) -> None:
    other = "sha256:" + "c" * 64
    nodes = dict.fromkeys((BASE, other), NodeKind.ARTIFACT) | {KEY: NodeKind.SIGNER}
    edge = Edge(BASE, EdgeType.WAS_DERIVED_FROM, other)
    graph.apply([GraphEntry(1, "signed", ((KEY, GraphDelta(nodes, (edge,))),))])
    short = backend.closure(Walk(BASE, Direction.DESCENDANTS, 1, depth=1, kinds=("run",)), limit=1)
    assert (short.total, short.next) == (0, None)
    with pytest.raises(ConflictError):
        backend.closure(Walk(BASE, Direction.DESCENDANTS, 1), after="neo4j.7", limit=1)
    with pytest.raises(ConflictError):
        backend.closure(Walk(BASE, Direction.DESCENDANTS, 1), after=BASE, limit=1)
    with pytest.raises(ConflictError):
        backend.closure(Walk(BASE, Direction.ANCESTORS, 2), after="neo4j.1.2.3", limit=1)


def test_a_short_list_is_in_the_logs_order_and_goes_on_while_it_grows(
    graph: Neo4jGraph, backend: Neo4jBackend
) -> None:
    top = "sha256:" + "f" * 64
    for index, far in enumerate((3, 1, 2), 1):
        used = f"uri:{far:064x}"
        nodes = {top: NodeKind.RUN, used: NodeKind.ARTIFACT, KEY: NodeKind.SIGNER}
        edge = Edge(top, EdgeType.USED, used)
        graph.apply([GraphEntry(index, "signed", ((KEY, GraphDelta(nodes, (edge,))),))])
    page = backend.closure(Walk(top, Direction.ANCESTORS, 3), limit=1)
    assert [node.key[-1] for node in page.nodes] == ["3"]
    page = backend.closure(Walk(top, Direction.ANCESTORS, 4), after=page.next, limit=2)
    assert [node.key[-1] for node in page.nodes] == ["1", "2"]
    assert page.next is None
    assert page.members is not None
    assert len(page.members) == 3
