"""Which backend answers, with a real Neo4j: level, behind, ahead of the statuses, away and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from lineage import service_urls
from lineage.config import current
from lineage.db.models import LogHead
from lineage.errors import ConflictError, MalformedError, NotFoundError, UnavailableError
from lineage.graph import sql
from lineage.graph.neo4j.backend import Neo4jBackend
from lineage.graph.neo4j.store import Neo4jGraph
from lineage.services import as_of as moments
from lineage.services import graph_choice, lineage, lineage_whole, project, project_neo4j
from lineage.services.as_of import AsOf
from tests import factories
from tests.factories import Signer, artifact, provenance
from tests.integration.test_graph_read_answers import key_of, send

Follow = Callable[[], int]
pytestmark = pytest.mark.service


@pytest.fixture
def bolt(fresh_neo4j: str, log: None, monkeypatch: pytest.MonkeyPatch) -> service_urls.Bolt:
    """A Neo4j without a graph, configured for this test."""
    bolt = service_urls.graph(fresh_neo4j)
    assert bolt is not None
    backend, store = Neo4jBackend(bolt), Neo4jGraph(bolt)
    monkeypatch.setattr(graph_choice, "neo4j", lambda: backend)
    monkeypatch.setattr(graph_choice, "_rest", graph_choice._Rest())
    monkeypatch.setattr(project_neo4j, "graph", lambda: store)
    return bolt


@pytest.fixture
def neo4j_follows(bolt: service_urls.Bolt) -> Follow:
    def follow() -> int:
        while project_neo4j.project_pending():
            pass
        return project_neo4j.watermark()

    return follow


@pytest.fixture
def made(bolt: service_urls.Bolt) -> tuple[Signer, str, str]:
    """A signer, and the keys of a model and of the dataset that it was made from."""
    pipeline = factories.registered()
    data, model = artifact("data.csv"), artifact("model.bin")
    send(pipeline, provenance([model], [data]))
    return pipeline, key_of(model), key_of(data)


def up(key: str, as_of: AsOf | None = None) -> lineage.Closure:
    return lineage.closure(key, "ancestors", as_of or moments.resolve(None))


def all_entries() -> AsOf:
    return moments.resolve(str(LogHead.objects.get(pk=1).size))


@contextmanager
def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(graph_choice, "LONGEST_LAG_SECONDS", seconds)
        yield


def test_level_neo4j_answers_with_the_statuses_of_the_tables(
    made: tuple[Signer, str, str], graph: Follow, neo4j_follows: Follow
) -> None:
    _, model, data = made
    assert neo4j_follows() == graph()
    found = up(model)
    assert (found.backend, found.total, found.counts_by_kind) == ("neo4j", 2, {"artifact": 1, "run": 1})
    assert found.root_node.status == "verified"
    assert found.counts_by_status == {"unverified": 1, "verified": 1}
    assert {edge.trust for edge in found.edges} == {"signed"}
    (path,) = lineage.paths(model, data, moments.resolve(None))
    assert [node.key for node in path.nodes][::2] == [model, data]
    whole = lineage_whole.whole(model, "ancestors", moments.resolve(None), depth=10, most=100)
    assert (whole.backend, whole.total, len(whole.links), whole.complete) == ("neo4j", 2, 2, True)


def test_what_only_neo4j_has_is_never_shown_as_verified(
    made: tuple[Signer, str, str], neo4j_follows: Follow
) -> None:
    _, model, _ = made
    neo4j_follows()
    assert project.watermark() == 0
    found = up(model, all_entries())
    assert (found.backend, found.total, found.counts_by_status) == ("neo4j", 2, None)
    shown = (found.root_node, *found.nodes)
    assert {(node.status, node.reasons) for node in shown} == {("unverified", ("status-unknown",))}
    assert found.root_node.name == "model.bin"


def test_old_statuses_are_not_those_of_a_later_moment(
    made: tuple[Signer, str, str], graph: Follow, neo4j_follows: Follow
) -> None:
    pipeline, model, _ = made
    graph()
    send(pipeline, provenance([artifact("later.bin")], [{"name": "model.bin", "digest": _digest(model)}]))
    neo4j_follows()
    assert up(model).root_node.status == "verified"  # now: what both have
    later = up(model, all_entries())
    assert (later.backend, later.root_node.status) == ("neo4j", "unverified")
    assert later.root_node.reasons == ("status-unknown",)


def _digest(key: str) -> dict[str, str]:
    algorithm, _, value = key.partition(":")
    return {algorithm: value}


def test_a_little_behind_neo4j_answers_for_what_it_has(
    made: tuple[Signer, str, str], graph: Follow, neo4j_follows: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, model, _ = made
    size = neo4j_follows()
    other = artifact("other.bin")
    send(pipeline, provenance([other], [artifact("other.csv")]))
    graph()
    with patience(monkeypatch, 3600):
        assert up(key_of(other)).backend == "sql"  # what was just sent is found
        with pytest.raises(NotFoundError):
            up("sha256:" + "00" * 32)
        found = up(model)
        assert (found.backend, found.tree_size, found.projected) == ("neo4j", size, size)
        assert up(model, all_entries()).backend == "sql"  # more than it has was asked for
    with patience(monkeypatch, 0):
        found = up(model)
        assert (found.backend, found.tree_size) == ("sql", size + 1)
        states = {state.name: state for state in graph_choice.condition()}
        assert not states["neo4j"].answers
        assert "1 entries behind" in states["neo4j"].reason
        assert states["sql"].answers


def test_an_edge_fades_with_its_key_whoever_answers(
    made: tuple[Signer, str, str], graph: Follow, neo4j_follows: Follow
) -> None:
    pipeline, model, _ = made
    factories.revoke(pipeline)
    neo4j_follows()
    graph()
    found = up(model)
    assert found.backend == "neo4j"
    assert {edge.trust for edge in found.edges} == {"revoked"}


def test_without_neo4j_the_tables_answer_until_it_is_back(
    made: tuple[Signer, str, str],
    graph: Follow,
    neo4j_follows: Follow,
    monkeypatch: pytest.MonkeyPatch,
    bolt: service_urls.Bolt,
) -> None:
    _, model, _ = made
    graph()
    neo4j_follows()
    closed = service_urls.Bolt("bolt://127.0.0.1:1", "neo4j", "nobody")
    away, back = Neo4jBackend(closed), Neo4jBackend(bolt)
    with pytest.raises(UnavailableError):
        away.projected()
    monkeypatch.setattr(graph_choice, "neo4j", lambda: away)
    assert up(model).backend == "sql"
    assert graph_choice.followed() == 0
    states = {state.name: state for state in graph_choice.condition()}
    assert (states["neo4j"].up, states["neo4j"].answers, states["sql"].answers) == (False, False, True)
    assert states["neo4j"].reason
    monkeypatch.setattr(graph_choice, "neo4j", lambda: back)
    assert up(model).backend == "sql", "it is left alone for a while"
    monkeypatch.setattr(graph_choice, "REST_SECONDS", 0.0)
    monkeypatch.setattr(graph_choice._rest, "_until", 0.0)
    assert up(model).backend == "neo4j"
    assert graph_choice.followed() == project.watermark()


def test_a_list_goes_on_at_its_own_moment_though_the_log_has_grown(
    made: tuple[Signer, str, str], graph: Follow, neo4j_follows: Follow
) -> None:
    pipeline, model, data = made
    graph()
    neo4j_follows()
    first = lineage.closure(model, "ancestors", moments.resolve(None), limit=1)
    assert first.next is not None
    send(pipeline, provenance([artifact("model.bin", model[7:])], [artifact("more.csv")]))
    graph()
    neo4j_follows()
    second = lineage.closure(model, "ancestors", moments.resolve(None), limit=1, after=first.next)
    assert (second.backend, second.tree_size, second.total) == ("neo4j", first.tree_size, 2)
    assert len({first.nodes[0].key, second.nodes[0].key}) == 2
    assert second.next is None
    for as_of, after in ((all_entries(), first.next), (moments.resolve(None), f"999999~{data}")):
        with pytest.raises(ConflictError):
            lineage.closure(model, "ancestors", as_of, after=after)
    with pytest.raises(MalformedError):
        lineage.closure(model, "ancestors", moments.resolve(None), after="x~y")


def test_another_backend_does_not_go_on_with_the_list(
    made: tuple[Signer, str, str],
    graph: Follow,
    neo4j_follows: Follow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, model, _ = made
    graph()
    neo4j_follows()
    first = lineage.closure(model, "ancestors", moments.resolve(None), limit=1)
    monkeypatch.setattr(graph_choice, "neo4j", lambda: None)
    with pytest.raises(ConflictError, match="orders this list differently"):
        lineage.closure(model, "ancestors", moments.resolve(None), limit=1, after=first.next)


def test_an_emptied_neo4j_answers_nothing(
    made: tuple[Signer, str, str], graph: Follow, neo4j_follows: Follow
) -> None:
    _, model, _ = made
    graph()
    neo4j_follows()
    store = project_neo4j.graph()
    state = store.state()
    assert state is not None
    store.reset(state, state.origin, state.rules, "for this test")
    assert up(model, all_entries()).backend == "sql"


def test_the_tables_are_asked_where_no_neo4j_is_configured(log: None) -> None:
    assert current().graph is None
    graph_choice.neo4j.cache_clear()
    assert graph_choice.neo4j() is None
    assert [state.name for state in graph_choice.condition()] == ["sql"]
    with connection.cursor() as cursor:
        assert sql.read_state(cursor) is None or graph_choice.followed() == project.watermark()
