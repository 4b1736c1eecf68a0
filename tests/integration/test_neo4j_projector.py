"""Neo4j follows the log: the same graph as the tables, whatever happens to it in between."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lineage.errors import UnavailableError
from lineage.graph.backend import GraphEntry
from lineage.graph.model import Edge, EdgeType, GraphDelta, NodeKind
from lineage.graph.neo4j.backend import Neo4jBackend
from lineage.graph.neo4j.store import EditedError, Neo4jGraph, OvertakenError, State
from lineage.service_urls import Bolt
from lineage.services import project_neo4j
from tests.integration.neo4j_graphs import by_hand, expected, follow, projecting_into, stored
from tests.integration.projections import RandomLog
from tests.services import wipe_neo4j

A, B, C = (f"sha256:{digit * 64}" for digit in "abc")
KEY = "key:" + "0" * 64


@pytest.fixture
def bolt(log: None, fresh_neo4j: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bolt]:
    with projecting_into(fresh_neo4j, monkeypatch) as bolt:
        yield bolt


@pytest.fixture
def followed(bolt: Bolt) -> RandomLog:
    """A log of some forty entries that Neo4j is level with."""
    grown = RandomLog(7)
    grown.grow(40)
    assert follow(limit=9) > 40
    return grown


def state() -> State:
    found = project_neo4j.graph().state()
    assert found is not None
    return found


def said(index: int, *edges: tuple[str, EdgeType, str], signer: str = KEY) -> GraphEntry:
    nodes = {key: NodeKind.ARTIFACT for near, _, far in edges for key in (near, far)}
    delta = GraphDelta(nodes | {signer: NodeKind.SIGNER}, tuple(Edge(*edge) for edge in edges))
    return GraphEntry(index, "signed", ((signer, delta),))


def test_the_same_graph_as_the_tables(bolt: Bolt, followed: RandomLog) -> None:
    assert stored(bolt) == expected()
    assert project_neo4j.project_pending() == 0
    followed.grow(15)
    follow()
    assert stored(bolt) == expected()
    counted = (
        by_hand(bolt, "MATCH (n:Node) RETURN count(n)"),
        by_hand(bolt, "MATCH ()-[r]->() RETURN count(r)"),
    )
    assert counted == ([[state().nodes]], [[state().edges]])


def test_a_rebuild_gives_the_same(bolt: Bolt, followed: RandomLog) -> None:
    before, generation = stored(bolt), state().generation
    told: list[tuple[int, int]] = []
    total = project_neo4j.rebuild(lambda done, of: told.append((done, of)))
    assert told[-1] == (total, total)
    assert stored(bolt) == before
    assert state().generation != generation


def test_wiped(bolt: Bolt, followed: RandomLog) -> None:
    wipe_neo4j(f"bolt://{bolt.user}:{bolt.password}@{bolt.uri.removeprefix('bolt://')}")
    assert project_neo4j.watermark() == 0
    follow()
    assert stored(bolt) == expected()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("p.origin = 'another.example'", "another log"),
        ("p.rules = 'v0'", "other rules"),
        ("p.schema = 0", "other rules"),
        ("p.projected = p.projected + 1000", "the log only"),
        ("p.leaf = 'ff'", "is not the log's"),
    ],
)
def test_a_store_that_is_not_of_this_log(
    bolt: Bolt, followed: RandomLog, change: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    by_hand(bolt, f"MATCH (p:Projection) SET {change}")
    with caplog.at_level(logging.WARNING):
        follow()
    assert stored(bolt) == expected()
    assert reason in state().reason
    assert reason in caplog.text


@pytest.mark.parametrize(
    "edit",
    [
        "MATCH (n:TrainingRun) WITH n LIMIT 1 DETACH DELETE n",
        "MATCH (:Node)-[r:USED]->() WITH r LIMIT 1 DELETE r",
        "MATCH (n:Artifact) WITH n LIMIT 1 CREATE (n)-[:WAS_DERIVED_FROM {first: 0}]->(n)",
        "CREATE (:Node:Artifact {key: 'sha256:00', first: 0})",
        "MATCH (n) WHERE n:Node DETACH DELETE n",
    ],
)
def test_edited_by_hand(bolt: Bolt, followed: RandomLog, edit: str, caplog: pytest.LogCaptureFixture) -> None:
    by_hand(bolt, edit)
    followed.grow(5)
    with caplog.at_level(logging.WARNING):
        follow()
    assert stored(bolt) == expected()
    assert "changed by hand" in state().reason
    assert "changed by hand" in caplog.text


def test_nodes_of_other_programs_are_left_alone(bolt: Bolt, followed: RandomLog) -> None:
    by_hand(bolt, "CREATE (:Person {name: 'x'})-[:KNOWS]->(:Person {name: 'y'})")
    generation = state().generation
    followed.grow(5)
    follow()
    assert state().generation == generation
    project_neo4j.rebuild()
    assert by_hand(bolt, "MATCH (:Person)-[r:KNOWS]->() RETURN count(r)") == [[1]]
    by_hand(bolt, "MATCH (n:Person) DETACH DELETE n")


def test_an_emptying_that_broke_off_is_taken_up(
    bolt: Bolt, followed: RandomLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise UnavailableError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Neo4jGraph, "_delete_some", broken)
        with pytest.raises(UnavailableError):
            project_neo4j.rebuild()
    assert not state().cleared
    assert state().projected == 0
    follow()
    assert state().cleared
    assert stored(bolt) == expected()


def test_who_was_overtaken_writes_nothing(bolt: Bolt) -> None:
    graph = Neo4jGraph(bolt)
    first = graph.start("test.example", "rules")
    second = graph.apply([said(0, (A, EdgeType.USED, B))], seen=first, leaf="00")
    before = stored(bolt)
    for stale in (first, replace(second, generation=1)):
        with pytest.raises(OvertakenError):
            graph.apply([said(1, (B, EdgeType.USED, C))], seen=stale, leaf="01")
    assert stored(bolt) == before
    assert graph.state() == second


def test_a_batch_whose_answer_was_lost_is_not_written_twice(bolt: Bolt) -> None:
    graph = Neo4jGraph(bolt)
    first = graph.start("test.example", "rules")
    batch = [said(0, (A, EdgeType.SAME_AS, B), (B, EdgeType.USED, C))]
    second = graph.apply(batch, seen=first, leaf="00")
    before = stored(bolt)
    assert graph.apply(batch, seen=first, leaf="00") == second
    assert stored(bolt) == before
    assert [row[3] for row in before["support"]] == [0, 0]


def test_support_of_many_is_appended(bolt: Bolt) -> None:
    graph = Neo4jGraph(bolt)
    graph.start("test.example", "rules")
    other = "key:" + "1" * 64
    graph.apply([said(0, (A, EdgeType.USED, B)), said(1, (A, EdgeType.USED, B), signer=other)])
    graph.apply([said(2, (A, EdgeType.USED, B))])
    (edge,) = Neo4jBackend(bolt).edges_among([A, B], [EdgeType.USED], 3)
    assert [(one.index, one.signer) for one in edge.support] == [(0, KEY), (1, other), (2, KEY)]
    (edge,) = Neo4jBackend(bolt).edges_among([A, B], [EdgeType.USED], 2)
    assert [one.index for one in edge.support] == [0, 1]


def test_a_watermark_without_constraints_gets_them_again(bolt: Bolt, followed: RandomLog) -> None:
    for (name,) in by_hand(bolt, "SHOW CONSTRAINTS YIELD name"):
        by_hand(bolt, f"DROP CONSTRAINT `{name}`")
    project_neo4j.graph.cache_clear()  # another process
    followed.grow(2)
    follow()
    assert len(by_hand(bolt, "SHOW CONSTRAINTS YIELD name")) == 2
    assert stored(bolt) == expected()


def test_the_same_node_twice(bolt: Bolt, followed: RandomLog) -> None:
    """Only possible without the constraint, which then can't be made again before the graph is emptied."""
    for (name,) in by_hand(bolt, "SHOW CONSTRAINTS YIELD name"):
        by_hand(bolt, f"DROP CONSTRAINT `{name}`")
    by_hand(bolt, "MATCH (n:Artifact) WITH n LIMIT 1 CREATE (m:Node) SET m = properties(n)")
    project_neo4j.graph.cache_clear()  # another process
    followed.grow(2)
    follow()
    assert "changed by hand" in state().reason
    assert stored(bolt) == expected()


def test_edges_need_both_ends(bolt: Bolt, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a node goes between the two statements of a batch: fewer rows than were sent."""
    graph = Neo4jGraph(bolt)
    graph.start("test.example", "rules")
    entry = said(0, (A, EdgeType.USED, B))
    without = GraphDelta({A: NodeKind.ARTIFACT, KEY: NodeKind.SIGNER}, entry.contributions[0][1].edges)
    with pytest.raises(EditedError):
        graph.apply([GraphEntry(0, "signed", ((KEY, without),))])
    assert stored(bolt) == {"nodes": [], "edges": [], "support": []}
