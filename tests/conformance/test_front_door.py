"""Neo4j through the services that pages ask, with signed statements and no row in the SQL graph."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice, pairwise

import pytest

from lineage.db.models import Entry
from lineage.graph.backend import Direction, GraphEntry, Walk
from lineage.services import as_of, lineage, lineage_whole, project_entries, project_neo4j, withdraw
from tests import factories
from tests.conformance.reference import LINEAGE, OPENING, OPENING_KINDS, Reference
from tests.conformance.stores import assert_tables_empty
from tests.integration.projections import RandomLog, key_of, send
from tests.neo4j_installation import configured


@pytest.fixture
def only_neo4j(log: None, fresh_neo4j: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process is configured with an empty Neo4j, and the graph tables are and stay empty."""
    with configured(fresh_neo4j, monkeypatch):
        assert_tables_empty()
        yield
        assert_tables_empty()


def follow(limit: int) -> int:
    while project_neo4j.project_pending(limit):
        pass
    return project_neo4j.watermark()


def entries() -> list[GraphEntry]:
    """What the log says, read as every projector reads it."""
    judged: list[project_entries.Judged] = []
    while more := project_entries.read(len(judged), 500):
        judged += more
    return [project_neo4j.graph_entry(one) for one in judged]


def asked(key: str, direction: Direction, size: int, **filters: object) -> lineage.Closure:
    return lineage.closure(key, direction, as_of.resolve(str(size)), limit=500, **filters)  # type: ignore[arg-type]


@pytest.mark.usefixtures("only_neo4j")
def test_closures_and_paths_of_a_random_log() -> None:
    RandomLog(1).grow(60)
    size = follow(17)
    said, draw = entries(), random.Random(1)
    assert len(said) == size
    for at in (draw.randrange(20, size), size):
        reference = Reference(said, at)
        keys = draw.sample(sorted(reference.kinds), 6)
        for key in keys:
            for direction in Direction:
                _same_closure(reference, key, direction)
        for source, target in pairwise(keys):
            _same_paths(reference, source, target)


def _same_closure(reference: Reference, key: str, direction: Direction) -> None:
    found, size = asked(key, direction, reference.size), reference.size
    expected = reference.closure(Walk(key, direction, size))
    assert (found.backend, found.tree_size, found.next) == ("neo4j", size, None)
    assert {(node.key, node.kind, node.first_index) for node in found.nodes} == {
        (node.key, node.kind, node.first_index) for node in expected
    }
    assert found.total == len(expected)
    # No row says that anything is verified: a graph without statuses shows none.
    assert {node.status for node in (found.root_node, *found.nodes)} == {"unverified"}
    shown = {node.key for node in expected} | {key}
    followed = (*LINEAGE, *OPENING) if reference.kinds[key] in OPENING_KINDS else LINEAGE
    told = sorted((edge.source, edge.type, edge.target, edge.support) for edge in found.edges)
    assert told == sorted(
        (edge.source, edge.type, edge.target, tuple(sorted({each.index for each in edge.support})))
        for edge in reference.edges_among(shown, followed)
    )
    whole = lineage_whole.whole(key, direction, as_of.resolve(str(size)), depth=10_000, most=1_000)
    assert (whole.backend, whole.total, whole.complete) == ("neo4j", len(expected), True)


def _same_paths(reference: Reference, source: str, target: str) -> None:
    """Either end may be the effect."""
    found = lineage.paths(source, target, as_of.resolve(str(reference.size)), limit=5)
    expected = list(islice(reference.paths(source, target), 5))
    expected = expected or [path[::-1] for path in islice(reference.paths(target, source), 5)]
    assert [record.hops for record in found] == [len(path) - 1 for path in expected]
    for record in found:
        keys = tuple(node.key for node in record.nodes)
        assert reference.is_path(keys, source, target) or reference.is_path(keys[::-1], target, source)


@pytest.mark.usefixtures("only_neo4j")
def test_a_chain_of_signed_statements_by_kind_and_depth() -> None:
    who = factories.registered()
    for step in range(1, 12):
        send(
            who, factories.provenance([factories.artifact(f"m{step}")], [factories.artifact(f"m{step - 1}")])
        )
    size = follow(500)
    found = asked(key_of("m11"), Direction.ANCESTORS, size)
    assert (found.backend, found.total) == ("neo4j", 22)
    assert found.counts_by_kind == {"artifact": 11, "run": 11}
    near = asked(key_of("m11"), Direction.ANCESTORS, size, depth=4, kinds=["artifact"])
    assert (near.backend, {node.key for node in near.nodes}) == ("neo4j", {key_of("m10"), key_of("m9")})
    (path,) = lineage.paths(key_of("m11"), key_of("m0"), as_of.resolve(str(size)))
    assert path.hops == 22
    assert [node.key for node in path.nodes][::2] == [key_of(f"m{step}") for step in range(11, -1, -1)]


@pytest.mark.usefixtures("only_neo4j")
def test_edges_of_a_withdrawn_statement_fade_from_then_on() -> None:
    """The graph stays as it is: whom to believe is asked of the log."""
    who = factories.registered()
    made = factories.provenance([factories.artifact("m1")], [factories.artifact("m0")])
    indexes = [send(who, made)]
    indexes.append(send(who, factories.provenance([factories.artifact("m2")], [factories.artifact("m1")])))
    before = follow(500)
    digest = Entry.objects.values_list("statement_digest", flat=True).get(pk=indexes[0])
    withdraw.withdraw(f"sha256:{digest}", "signed by mistake", person=factories.PERSON)
    send(factories.registered(), made)
    after = follow(500)
    for size, trust in ((before, "signed"), (after, "revoked")):
        found = asked(key_of("m2"), Direction.ANCESTORS, size)
        assert (found.backend, found.total) == ("neo4j", 4)
        told = {edge.support: edge.trust for edge in found.edges}
        assert told == {(indexes[0],): trust, (indexes[1],): "signed"}
        (path,) = lineage.paths(key_of("m2"), key_of("m0"), as_of.resolve(str(size)))
        assert [edge.trust for edge in path.edges] == ["signed", "signed", trust, trust]
