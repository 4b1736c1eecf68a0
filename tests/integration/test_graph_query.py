"""Operators' Cypher against a real Neo4j: what is answered, what is refused, what is written down."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import neo4j
import pytest
from neo4j.exceptions import ClientError

from lineage.db.models import GraphQuery
from lineage.errors import (
    ForbiddenError,
    LineageError,
    MalformedError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
)
from lineage.graph import cypher_process, cypher_text
from lineage.graph.cypher_process import Question
from lineage.service_urls import Bolt
from lineage.services import graph_query
from lineage.services.clock import now_us
from lineage.services.graph_query import Asked, Found
from tests.cypher import contents, use
from tests.unit.graph.cypher_cases import BY_PLAN, BY_TEXT, HONEST, KEY, MISTAKES
from tests.web.installation import CLAIMS, TRIAGE

pytestmark = pytest.mark.service

PERSON = "operator@example.org"
PARAMETERS = {"key": f"sha256:{TRIAGE}", "keys": [KEY], "text": "claims", "l": [1], "id": "0"}


def ask(query: str, person: str = PERSON, **limits: Any) -> Found:
    return graph_query.run(Asked(query, {**PARAMETERS, **limits.pop("parameters", {})}, **limits), person)


def asked_at_once(bolt: Bolt, query: str) -> cypher_process.Answer:
    """Judged and run in this process, which is quicker by the start of another."""
    return cypher_process.ask(
        Question(bolt.uri, bolt.user, bolt.password, 1, query, PARAMETERS, 1000, 4 << 20, 60, 0)
    )


# What is answered


def test_every_honest_question_is_answered(filled_neo4j: Bolt) -> None:
    for query in HONEST:
        assert asked_at_once(filled_neo4j, query).columns, query


def test_an_answer_and_its_record(filled_neo4j: Bolt, graph: Callable[[], int]) -> None:
    found = ask(
        "MATCH (:Node {key: $key})-[:WAS_GENERATED_BY]->()-[:USED]->(d:Dataset) WHERE d.name CONTAINS $text "
        "RETURN d.key, d.first AS entry, $nothing AS nothing",
        parameters={"nothing": None},
    )
    assert found.columns == ["d.key", "entry", "nothing"]
    [[key, entry, nothing]] = found.rows
    assert (key, nothing) == (f"sha256:{CLAIMS}", None)
    assert isinstance(entry, int)
    assert found.projected == found.tree_size == graph()
    assert (found.truncated, found.limit, found.seconds) == (False, 1000, 10)
    row = GraphQuery.objects.get()
    assert (row.person, row.outcome, row.rows, row.truncated, row.reason) == (
        PERSON,
        "answered",
        1,
        False,
        "",
    )
    assert row.query.startswith("MATCH (:Node")
    assert '"text":"claims"' in row.parameters
    assert row.ms is not None
    assert row.ms >= found.ms


def test_values_that_json_has_no_form_for(asked_neo4j: Bolt, neo4j_driver: neo4j.Driver) -> None:
    neo4j_driver.execute_query(
        "CREATE (:Node {key: 'a:1', bytes: $b})-[:USED {first: 3}]->(:Node {key: 'b:2'})", b=b"\0\xff"
    )
    [row] = asked_at_once(
        asked_neo4j,
        "MATCH p = (a)-[r:USED]->(b) RETURN a, r, p, 9007199254740993, -9007199254740991 AS small, 0.0/0.0, "
        "-1.0/0.0, a.bytes, date('2026-11-25'), datetime('2026-11-25T10:00:00.5+01:00'), duration('P1DT2S'), "
        "time('10:00Z'), localdatetime('2026-11-25T10:00:00'), point({latitude: 50.0, longitude: 8.0}), "
        "{`$type`: 'node'}, {a: [1, null, true]}, 'text'",
    ).rows
    first = {"key": "a:1", "bytes": {"$type": "bytes", "hex": "00ff"}}
    a = {"$type": "node", "key": "a:1", "labels": ["Node"], "properties": first}
    b = {"$type": "node", "key": "b:2", "labels": ["Node"], "properties": {"key": "b:2"}}
    ends = {"source": "a:1", "target": "b:2"}
    used = {"$type": "relationship", "relation": "USED", **ends, "properties": {"first": 3}}
    assert row == [
        a,
        used,
        {"$type": "path", "nodes": [a, b], "relationships": [used]},
        {"$type": "integer", "value": "9007199254740993"},
        -9007199254740991,
        {"$type": "float", "value": "NaN"},
        {"$type": "float", "value": "-Infinity"},
        {"$type": "bytes", "hex": "00ff"},
        {"$type": "date", "value": "2026-11-25"},
        {"$type": "datetime", "value": "2026-11-25T10:00:00.500000000+01:00"},
        {"$type": "duration", "value": "P1DT2S"},
        {"$type": "time", "value": "10:00:00.000000000+00:00"},
        {"$type": "datetime", "value": "2026-11-25T10:00:00.000000000"},
        {"$type": "point", "srid": 4326, "coordinates": [8.0, 50.0]},
        {"$type": "map", "value": {"$type": "node"}},
        {"a": [1, None, True]},
        "text",
    ]
    [[alone]] = asked_at_once(asked_neo4j, "MATCH ()-[r:USED]->() RETURN r").rows
    assert (alone["source"], alone["target"]) == (None, None)


# What is refused


def test_nothing_that_is_refused_changes_anything(filled_neo4j: Bolt, neo4j_driver: neo4j.Driver) -> None:
    before = contents(neo4j_driver)
    for query, says in (*BY_TEXT, *BY_PLAN):
        with pytest.raises((ForbiddenError, MalformedError)) as raised:
            asked_at_once(filled_neo4j, query)
        assert says in raised.value.message, query
    assert contents(neo4j_driver) == before


def test_the_plan_and_read_access_hold_without_the_rules_about_the_text(
    filled_neo4j: Bolt, neo4j_driver: neo4j.Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cypher_text, "check", lambda text: None)
    before = contents(neo4j_driver)
    passed = []
    for query, _ in (*BY_TEXT, *BY_PLAN):
        if any(word in query for word in ("=~", "range", "reduce", "[x IN $l", "patterns", "b6)")):
            continue  # about time, not about effects
        try:
            asked_at_once(filled_neo4j, query)
            passed.append(query)
        except LineageError:
            continue
    assert contents(neo4j_driver) == before
    harmless = ("RETURN '\\u0027", "MATCH (a)--()", "USE neo4j", "EXPLAIN", "PROFILE", "CYPHER runtime")
    assert [query for query in passed if not query.startswith(harmless)] == []


def test_neo4j_itself_refuses_writes_in_read_access(asked_neo4j: Bolt, neo4j_driver: neo4j.Driver) -> None:
    for query in ("CREATE (n)", "CREATE INDEX x FOR (n:X) ON n.y", "CREATE USER x SET PASSWORD 'x12345678'"):
        with (
            neo4j_driver.session(database="neo4j", default_access_mode=neo4j.READ_ACCESS) as session,
            pytest.raises(ClientError, match="read access mode"),
        ):
            session.run(query).consume()


@pytest.mark.parametrize(("query", "where"), MISTAKES)
def test_a_mistake_is_told_in_neo4js_words_with_its_place(asked_neo4j: Bolt, query: str, where: str) -> None:
    with pytest.raises(MalformedError) as raised:
        asked_at_once(asked_neo4j, query)
    error = raised.value
    assert error.extra["code"]
    assert "EXPLAIN" not in error.message
    assert "offset" not in error.message
    if where:
        assert error.where == where
        assert error.where == f"line {error.extra['line']}, column {error.extra['column']}"


def test_functions_that_are_not_neo4js_own_are_looked_for(
    asked_neo4j: Bolt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        cypher_process,
        "ADDED_FUNCTIONS",
        "SHOW FUNCTIONS YIELD name WHERE name = 'date.truncate' RETURN name",
    )
    with pytest.raises(ForbiddenError, match=r"date\.truncate"):
        asked_at_once(asked_neo4j, "RETURN `date` . truncate('day', date())")
    assert asked_at_once(asked_neo4j, "RETURN date()").rows


# Limits


def test_rows(asked_neo4j: Bolt) -> None:
    found = ask("UNWIND range(1, 50) AS x RETURN x", rows=20)
    assert (len(found.rows), found.truncated, found.limit) == (20, True, 20)
    exact = ask("UNWIND range(1, 50) AS x RETURN x", rows=50)
    assert (len(exact.rows), exact.truncated) == (50, False)
    assert list(GraphQuery.objects.order_by("pk").values_list("truncated", flat=True)) == [True, False]


def test_bytes(asked_neo4j: Bolt) -> None:
    text = "x" * 60_000
    found = ask("UNWIND range(1, 900) AS x RETURN $text AS t", parameters={"text": text})
    assert found.truncated
    assert 60 < len(found.rows) < 4 * 1024 * 1024 / 60_000
    with pytest.raises(TooLargeError, match="first row alone") as raised:
        ask("UNWIND range(1, 900) AS x RETURN collect($text) AS t", parameters={"text": text})
    assert raised.value.limit == 4 << 20


def test_one_value_that_is_more_than_the_process_may_hold(
    asked_neo4j: Bolt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty megabytes, which the driver needs several times over."""
    monkeypatch.setattr(graph_query, "MOST_MEMORY", 128 << 20)
    with pytest.raises(TooLargeError, match=r"too big|cut off"):  # a slow machine: the time is up first
        ask("RETURN [x IN range(0, 999) | $text]", parameters={"text": "x" * 60_000}, seconds=30)
    assert GraphQuery.objects.get().outcome == "failed"
    assert ask("RETURN 1").rows == [[1]]


def test_time(filled_neo4j: Bolt) -> None:
    slow = " ".join(f"UNWIND range(1, 999) AS x{i}" for i in range(6)) + " RETURN count(*)"
    with pytest.raises(TooLargeError, match="stopped after 1 s") as raised:
        ask(slow, seconds=1)
    assert raised.value.limit == 1
    assert "stopped after 1 s" in GraphQuery.objects.get().reason


def test_a_query_that_neo4j_can_not_stop_blocks_the_next(
    asked_neo4j: Bolt, neo4j_driver: neo4j.Driver
) -> None:
    """Stood in for by a transaction of ours that is open beyond its limit."""
    marks = {"lineage_question": 1, "lineage_seconds": -100}
    with neo4j_driver.session(database="neo4j") as session:
        with session.begin_transaction(metadata=marks) as transaction:
            transaction.run("RETURN 1").consume()
            with pytest.raises(UnavailableError, match="does not let itself be stopped"):
                ask("RETURN 1")
        assert ask("RETURN 1").rows == [[1]]


def test_parameters(asked_neo4j: Bolt) -> None:
    deep: Any = 1
    for _ in range(20):
        deep = [deep]
    wrong: list[tuple[dict[str, Any], type[LineageError]]] = [
        ({"x": "x" * 70_000}, TooLargeError),
        ({"x": deep}, TooLargeError),
        ({"x": 2**63}, MalformedError),
        ({"x": [-(2**63) - 1]}, MalformedError),
        ({"x": {"y": float("nan")}}, MalformedError),
    ]
    for parameters, kind in wrong:
        with pytest.raises(kind):
            ask("RETURN $x", parameters=parameters)
    assert ask("RETURN $x", parameters={"x": [2**63 - 1, -(2**63)]}).rows[0][0][0]["value"] == str(2**63 - 1)


@pytest.mark.parametrize("limits", [{"rows": 0}, {"rows": 10_001}, {"seconds": 0}, {"seconds": 61}])
def test_limits_that_nobody_may_choose(asked_neo4j: Bolt, limits: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match="whole number"):
        ask("RETURN 1", **limits)


def test_a_long_text(asked_neo4j: Bolt) -> None:
    with pytest.raises(TooLargeError, match="10,000"):
        ask("RETURN 1" + " " * 10_000)
    assert len(GraphQuery.objects.get().query) == 10_000


# Who and when


def test_the_record_is_there_before_the_question_leaves(
    asked_neo4j: Bolt, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    def look(question: Question) -> cypher_process.Reply:
        seen.extend(GraphQuery.objects.values_list("outcome", "query"))
        return cypher_process.reply(question)

    monkeypatch.setattr(graph_query, "_reply", look)
    ask("RETURN 1")
    assert seen == [("running", "RETURN 1")]


def test_refusals_and_failures_are_written_down_with_their_reason(asked_neo4j: Bolt) -> None:
    for query in (
        "MATCH (n) DELETE n",
        "LOAD CSV FROM 'file:///x' AS l RETURN l",
        "RETRUN 1",
        "RETURN $absent",
    ):
        with pytest.raises(LineageError):
            ask(query)
    rows = list(GraphQuery.objects.order_by("pk").values_list("outcome", "reason", "rows"))
    assert [(outcome, said) for outcome, _, said in rows] == [
        ("refused", None), ("refused", None), ("refused", None), ("failed", None),
    ]  # fmt: skip
    assert "Delete" in rows[0][1]
    assert rows[3][1].startswith("malformed: Expected parameter(s): absent")


def test_what_a_text_column_can_not_hold_is_no_way_around_the_record(asked_neo4j: Bolt) -> None:
    with pytest.raises(MalformedError, match="control character"):
        ask("RETURN 1 \0")
    with pytest.raises(MalformedError):
        ask("RETURN 1 /* \ud800 */")
    assert GraphQuery.objects.count() == 2


def test_one_at_a_time_a_person_and_few_in_all(asked_neo4j: Bolt, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, leave = Event(), Event()

    def hold(question: Question) -> cypher_process.Reply:
        entered.set()
        assert leave.wait(60)
        return cypher_process.reply(question)

    monkeypatch.setattr(graph_query, "_reply", hold)
    monkeypatch.setattr(graph_query, "MOST_RUNNING", 2)
    answers: list[Found] = []

    def other(person: str) -> Thread:
        from django.db import connection

        def run() -> None:
            answers.append(ask("RETURN 1", person))
            connection.close()

        thread = Thread(target=run)
        entered.clear()
        thread.start()
        assert entered.wait(60)
        return thread

    threads = [other(PERSON)]
    with pytest.raises(RateLimitedError, match="of yours"):
        ask("RETURN 2")
    threads.append(other("second@example.org"))
    with pytest.raises(UnavailableError, match="2 queries are running"):
        ask("RETURN 3", "third@example.org")
    leave.set()
    for thread in threads:
        thread.join(60)
    assert [answer.rows for answer in answers] == [[[1]], [[1]]]
    assert ask("RETURN 4").rows == [[4]]
    outcomes = list(GraphQuery.objects.order_by("pk").values_list("outcome", flat=True))
    assert outcomes == ["answered", "refused", "answered", "failed", "answered"]


def test_a_process_that_ended_in_the_middle_holds_nobody_up_for_ever(asked_neo4j: Bolt) -> None:
    left = {"person": PERSON, "query": "RETURN 1", "parameters": "{}", "at_us": 1}
    GraphQuery.objects.create(until_us=now_us() + 10**9, **left)
    with pytest.raises(RateLimitedError):
        ask("RETURN 1")
    GraphQuery.objects.filter(outcome="running").update(until_us=now_us() - 1)
    assert ask("RETURN 1").rows == [[1]]


# Neo4j away


def test_no_neo4j(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    use(None, monkeypatch)
    with pytest.raises(NotFoundError, match="No Neo4j is configured"):
        ask("RETURN 1")
    assert GraphQuery.objects.get().outcome == "failed"


def test_a_neo4j_that_is_down(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Bolt("bolt://127.0.0.1:1", "neo4j", "secret-of-the-url"), monkeypatch)
    with pytest.raises(UnavailableError, match="can't be reached") as raised:
        ask("RETURN 1")
    assert "secret" not in str(raised.value)
    assert "secret" not in GraphQuery.objects.get().reason


def test_a_wrong_password(asked_neo4j: Bolt, monkeypatch: pytest.MonkeyPatch) -> None:
    use(Bolt(asked_neo4j.uri, asked_neo4j.user, "not-the-password"), monkeypatch)
    with pytest.raises(UnavailableError, match="refuses the user or password"):
        ask("RETURN 1")
