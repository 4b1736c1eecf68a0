"""What the projector remembers between batches is what the tables say, and is used only while they do."""

from __future__ import annotations

import pytest
from django.db import connection

from lineage.graph import sql, sql_facts
from lineage.graph.model import NodeKind
from lineage.graph.sql_facts import NodeState, place
from lineage.services import project, project_entries, project_kept
from tests.integration.projections import RandomLog, dump, the_same_after_a_rebuild

pytestmark = pytest.mark.usefixtures("log", "storage_root")


JUDGED_BY_THE_RING = (NodeKind.SIGNER, NodeKind.SUPPLIER, NodeKind.PLACE)
"""Or by nothing: no rule reads what is said of them, so it is not read either."""


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    project_kept._left.clear()


def follow(limit: int) -> None:
    while project.project_pending(limit):
        pass


def agrees(left: project_kept.Left) -> int:
    """Compare with what is read anew; how many nodes that were."""
    with connection.cursor() as cursor:
        assert sql.read_state(cursor) == left.state
        read = {node.facts.key: node for node in sql_facts.by_keys(cursor, left.nodes, left.belief)}
        ends = [(node.id, kind, target) for node in left.nodes.values() for kind, target in _edges(node)]
        edges = sql_facts.edge_ids(cursor, ends)
    assert read.keys() == left.nodes.keys()
    for key, kept in left.nodes.items():
        node = read[key]
        if kept.facts.kind not in JUDGED_BY_THE_RING:
            assert node.facts == kept.facts
        assert (node.id, node.pieces, node.opened, node.stored) == (kept.id, kept.pieces, kept.opened, True)
        assert kept.stored
    assert {(node.id, at): edge for node in left.nodes.values() for at, edge in node.edges.items()} == {
        (source, place(kind, target)): edge for (source, kind, target), edge in edges.items()
    }
    assert left.standing == project_entries.standing(left.state.projected)
    return len(left.nodes)


def _edges(node: NodeState) -> list[tuple[str, int]]:
    kinds = {number: kind for kind, number in sql_facts._NUMBERS.items()}
    return [(kinds[at & 15], at >> 4) for at in node.edges]


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_it_is_what_the_tables_say(seed: int) -> None:
    grown, nodes, times = RandomLog(seed), 0, 0
    for _ in range(40):
        grown.grow(3)
        follow(2)
        for left in project_kept._left:
            nodes, times = nodes + agrees(left), times + 1
    assert times > 10, "most entries change nothing about others"
    assert nodes > 100
    the_same_after_a_rebuild()


def test_who_was_overtaken_remembers_nothing() -> None:
    grown = RandomLog(14)
    grown.grow(30)
    follow(5)
    (mine,) = project_kept._left
    project_kept._left.clear()
    grown.grow(30)
    follow(5)  # another process
    project_kept._left[:] = [mine]
    with connection.cursor() as cursor:
        state = sql.read_state(cursor)
    assert state is not None
    assert project_kept.take(state) is None
    grown.grow(30)
    follow(5)
    the_same_after_a_rebuild()


def test_nor_is_anything_remembered_of_a_graph_that_was_made_anew() -> None:
    RandomLog(15).grow(40)
    follow(7)
    (mine,) = project_kept._left
    expected, projected = dump(), mine.state.projected
    project._reset(project._look().state)
    follow(9)
    state = project._look().state
    assert state.projected == projected
    project_kept._left[:] = [mine]
    assert project_kept.take(state) is None
    assert dump() == expected


def test_most_of_it_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_kept, "MOST", 5)
    monkeypatch.setattr(project_kept, "MOST_FACTS", 3)
    grown = RandomLog(16)
    for _ in range(20):
        grown.grow(3)
        follow(2)
        for left in project_kept._left:
            assert agrees(left) <= 5
    the_same_after_a_rebuild()
