"""`lineage graph check` on Neo4j: what is changed by hand is found, named and put right."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from neo4j import GraphDatabase, Session

from lineage import service_urls
from lineage.cli.main import run
from lineage.errors import ConflictError, UnavailableError
from lineage.graph.backend import Direction, Walk
from lineage.services import graph_check, graph_check_neo4j, graph_choice, project_neo4j
from tests import factories
from tests.integration.projections import RandomLog, key_of, send
from tests.neo4j_installation import configured

pytestmark = pytest.mark.usefixtures("log", "storage_root")


@pytest.fixture
def prompt(log: None, fresh_neo4j: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    """A Cypher prompt on the Neo4j of an installation that has followed a random log."""
    bolt = service_urls.graph(fresh_neo4j)
    assert bolt is not None
    with configured(fresh_neo4j, monkeypatch):
        RandomLog(5).grow(60)
        send_model("m0", "model")
        follow()
        with (
            GraphDatabase.driver(bolt.uri, auth=(bolt.user, bolt.password)) as driver,
            driver.session(database="neo4j") as session,
        ):
            yield session


def follow() -> int:
    while project_neo4j.project_pending(40):
        pass
    return project_neo4j.watermark()


def send_model(name: str, role: str) -> None:
    """One more signer calls it so, and gives it a role and two data sets."""
    said = {"name": name, "role": role, "datasets": [factories.artifact("a0"), factories.artifact("a1")]}
    model = factories.statement(
        factories.artifact(name), predicate_type="urn:lineage:predicate:model:v1", predicate=said
    )
    send(factories.registered(), model)


def stored(prompt: Session) -> list[str]:
    """Everything in the graph, comparable; roles and support in no order."""
    rows = prompt.run("MATCH (n:Node) RETURN n.key, labels(n), properties(n)").values()
    found = [repr((key, sorted(labels), _sorted(values))) for key, labels, values in rows]
    rows = prompt.run("MATCH (a)-[r]->(b) RETURN a.key, type(r), b.key, properties(r)").values()
    found += [repr((a, kind, b, _sorted(values))) for a, kind, b, values in rows]
    return sorted(found)


def _sorted(values: dict[str, object]) -> list[tuple[str, object]]:
    return sorted((name, sorted(map(str, v)) if isinstance(v, list) else v) for name, v in values.items())


def test_a_graph_that_nobody_touched_is_the_logs(prompt: Session) -> None:
    report = graph_check.check("neo4j")
    assert (report.differences, report.examples, report.size) == (0, (), project_neo4j.watermark())
    for name, query in (
        ("node", "MATCH (n:Node) RETURN count(n)"),
        ("edge", "MATCH ()-[r]->() RETURN count(r)"),
        ("support", "MATCH ()-[r]->() RETURN sum(size(r.indexes))"),
    ):
        (count,) = prompt.run(query).values()[0]
        assert report.compared[name] == count > 0, name


MODEL = "MATCH (n:Model) WITH n ORDER BY n.key LIMIT 1 "
ARTIFACT = "MATCH (n:Artifact) WITH n ORDER BY n.key LIMIT 1 "
SAID = "{first: 1, indexes: [1], signers: ['key:00'], trusts: ['signed']}"
STRANGE = "CREATE {} (:Node:Artifact {{key: 'sha256:00ff', kind: 'artifact', first: 2}})"
USED = "MATCH (a)-[r:USED]->(b) WITH a, r, b ORDER BY a.key, b.key LIMIT 1 "
TAMPERED: dict[str, tuple[str, set[str]]] = {
    "an edge taken away": (USED + "DELETE r", {"edge missing", "support missing"}),
    "an edge made up": (
        USED + f"CREATE (b)-[:WAS_DERIVED_FROM {SAID}]->(a)",
        {"edge extra", "support extra"},
    ),
    "an edge twice": (
        USED + "CREATE (a)-[e:USED]->(b) SET e = properties(r)",
        {"edge extra", "support extra"},
    ),
    "an edge of no type of ours": (USED + "CREATE (b)-[:OWNS]->(a)", {"edge extra", "support extra"}),
    "an edge known earlier": (USED + "SET r.first = 0", {"edge changed"}),
    "an edge known only later": (USED + "SET r.first = 999999", {"edge changed"}),
    "an edge without a first index": (USED + "REMOVE r.first", {"edge changed"}),
    "a property of somebody": (USED + "SET r.weight = 0.5", {"edge changed"}),
    "support made up": (
        USED + "SET r.indexes = r.indexes + [3], r.signers = r.signers + ['key:00'], "
        "r.trusts = r.trusts + ['signed']",
        {"support extra"},
    ),
    "support by another": (
        USED + "SET r.signers = ['key:00'] + r.signers[1..]",
        {"support missing", "support extra"},
    ),
    "support of other trust": (
        USED + "SET r.trusts = ['asserted'] + r.trusts[1..]",
        {"support missing", "support extra"},
    ),
    "support that does not fit together": (
        USED + "SET r.signers = r.signers + ['key:00']",
        {"support missing", "support extra"},
    ),
    "a node taken away": (
        "MATCH (n:Deployment) WITH n ORDER BY n.key LIMIT 1 DETACH DELETE n",
        {"node missing", "edge missing", "support missing"},
    ),
    "a node made up": (STRANGE.format(""), {"node extra"}),
    "a node made up with an edge": (
        ARTIFACT + STRANGE.format(f"(n)-[:WAS_DERIVED_FROM {SAID}]->"),
        {"node extra", "edge extra", "support extra"},
    ),
    "a node without a key": ("CREATE (:Node {kind: 'artifact', first: 2})", {"stray extra"}),
    "a node whose key is a number": ("CREATE (:Node {key: 5, first: 2})", {"stray extra"}),
    "a node of another kind": (ARTIFACT + "SET n.kind = 'supplier'", {"node changed"}),
    "a node of another label": (ARTIFACT + "REMOVE n:Artifact SET n:Supplier", {"node changed"}),
    "a node known later": (ARTIFACT + "SET n.first = n.first + 1", {"node changed"}),
    "a node in another place": (ARTIFACT + "SET n.seq = n.seq + 1", {"node changed"}),
    "a node renamed": (ARTIFACT + "SET n.name = 'harmless'", {"node changed"}),
    "a role made up": (
        ARTIFACT + "SET n.roles = n.roles + ['model'], n.role_first = n.role_first + [1]",
        {"node changed"},
    ),
    "roles lost": (ARTIFACT + "REMOVE n.roles", {"node changed"}),
    "the time of a role": (MODEL + "SET n.role_first = [0]", {"node changed"}),
    "the label of a role": (MODEL + "REMOVE n:Model", {"node changed"}),
    "an edge to a stranger": (
        ARTIFACT + "CREATE (n)-[:USED {first: 1}]->(:Ship)",
        {"edge extra", "support extra"},
    ),
    "an edge from a stranger": (ARTIFACT + "CREATE (:Ship)-[:USED {first: 1}]->(n)", {"stray extra"}),
    "every edge gone": ("MATCH (:Node)-[r]->() DELETE r", {"edge missing", "support missing"}),
}  # fmt: skip


def test_what_is_changed_by_hand_is_named_and_put_right(prompt: Session) -> None:
    """One after the other on one graph, which is as it was after each repair."""
    before, watermark = stored(prompt), project_neo4j.watermark()
    for how, (statement, kinds) in TAMPERED.items():
        assert prompt.run(statement).consume().counters.contains_updates, how
        found = graph_check.check("neo4j")
        assert set(found.kinds) == kinds, how
        assert 0 < len(found.examples) <= 50, how
        repaired = graph_check.check("neo4j", repair=True)
        assert (repaired.kinds, repaired.repaired) == (found.kinds, True), how
        assert stored(prompt) == before, how
        assert project_neo4j.watermark() == watermark, how
    assert graph_check.check("neo4j").differences == 0
    RandomLog(2).grow(5)
    follow()
    assert graph_check.check("neo4j").differences == 0


def test_an_alias_is_compared_both_ways(prompt: Session) -> None:
    who = factories.registered()
    digests = {"sha256": factories.sha256("twice"), "sha512": "a" * 128}
    send(who, factories.statement({"name": "twice", "digest": digests}))
    follow()
    before = stored(prompt)
    for mirror in (True, False):
        prompt.run("MATCH ()-[r:SAME_AS {mirror: $mirror}]->() DELETE r", mirror=mirror).consume()
        found = graph_check.check("neo4j", repair=True)
        assert found.kinds == {"edge missing": 1, "support missing": 1}
        assert stored(prompt) == before


def test_many_differences_make_the_graph_anew(prompt: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_check_neo4j, "MANY", 3)
    before = stored(prompt)
    prompt.run("MATCH (n:Node) SET n.name = 'evil'").consume()
    assert graph_check.check("neo4j", repair=True).repaired
    assert stored(prompt) == before


def test_an_answer_after_the_repair_is_right_at_once(prompt: Session) -> None:
    """What the process remembers of the tampered graph is forgotten with it."""
    backend, size = graph_choice.neo4j(), project_neo4j.watermark()
    assert backend is not None
    walk = Walk(key_of("a0"), Direction.DESCENDANTS, size)
    filtered = replace(walk, kinds=("run", "artifact", "deployment"))
    right = backend.closure(walk)
    prompt.run("MATCH (a:Node)<-[r]-() WHERE a.key = $key DELETE r", key=key_of("a0")).consume()
    assert backend.closure(filtered).total == 0
    assert graph_check.check("neo4j", repair=True).repaired
    assert backend.closure(walk) == right
    assert backend.closure(filtered).total == right.total > 0


def test_entries_projected_meanwhile_are_left_alone(prompt: Session) -> None:
    """At each stage the log grows and Neo4j follows; with a repair the mended nodes get what came, too."""
    grown, stages, roles = (
        RandomLog(8),
        set[str](),
        ["code", "file", "report", "config", "dataset", "adapter"],
    )

    def meanwhile(done: int, total: int, what: str) -> None:
        if what not in stages:
            stages.add(what)
            grown.grow(12)
            send_model("m0", roles.pop())
            send_model(f"of stage {len(roles)}", "adapter")
            follow()

    assert graph_check.check("neo4j", progress=meanwhile).differences == 0
    assert len(stages) == 3
    prompt.run("MATCH (n:Artifact) SET n.name = 'evil'").consume()
    stages.clear()
    assert graph_check.check("neo4j", repair=True, progress=meanwhile).repaired
    after = graph_check.check("neo4j")
    assert (after.differences, after.size) == (0, project_neo4j.watermark())


def test_a_graph_made_anew_meanwhile_is_no_difference_but_a_conflict(prompt: Session) -> None:
    def meanwhile(done: int, total: int, what: str) -> None:
        prompt.run("MATCH (p:Projection) SET p.generation = 1").consume()

    with pytest.raises(ConflictError):
        graph_check.check("neo4j", progress=meanwhile)


def test_the_graph_of_another_log_is_told_and_replaced(prompt: Session) -> None:
    before = stored(prompt)
    prompt.run("MATCH (p:Projection) SET p.origin = 'another.example'").consume()
    found = graph_check.check("neo4j")
    assert found.kinds == {"graph changed": 1}
    assert graph_check.check("neo4j", repair=True).repaired
    assert stored(prompt) == before


def test_an_empty_neo4j_has_nothing_to_compare(fresh_neo4j: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with configured(fresh_neo4j, monkeypatch):
        report = graph_check.check("neo4j")
    assert (report.size, report.differences) == (0, 0)


def test_a_neo4j_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with configured("bolt://neo4j:password@127.0.0.1:1", monkeypatch), pytest.raises(UnavailableError):
        graph_check.check("neo4j")


def test_the_command_checks_each_backend(prompt: Session, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["graph", "check", "--json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [check["backend"] for check in checks] == ["sql", "neo4j"]
    prompt.run(ARTIFACT + "SET n.kind = 'supplier'").consume()
    assert run(["graph", "check"]) == 1
    assert "kind is supplier, by the log artifact" in capsys.readouterr().out
    assert run(["graph", "check", "--backend", "neo4j", "--repair"]) == 0
    assert run(["graph", "check", "--backend", "neo4j"]) == 0


NODES = ("MATCH (n:Node) ", ("first", "kind", "seq", "roles", "role_first"))
EDGES = ("MATCH ()-[n]->() ", ("first", "indexes", "signers", "trusts"))


def test_random_edits_are_all_found(prompt: Session) -> None:
    """Any one property of any node or edge, lost or set to another's."""
    draw = random.Random(4)
    before = stored(prompt)
    for _ in range(12):
        query = draw.choice(("MATCH (n:Node) ", "MATCH ()-[n]->() "))
        name = draw.choice(
            ("first", "kind", "seq", "roles") if "Node" in query else ("first", "indexes", "trusts")
        )
        count = prompt.run(query + "RETURN count(n)").values()[0][0]
        edit = draw.choice((f"REMOVE n.{name}", f"SET n.{name} = 7", f"SET n.{name} = ['7']"))
        prompt.run(query + f"WITH n SKIP $at LIMIT 1 {edit}", at=draw.randrange(count)).consume()
        if stored(prompt) == before:
            continue
        assert graph_check.check("neo4j", repair=True).differences > 0, edit
        assert stored(prompt) == before
