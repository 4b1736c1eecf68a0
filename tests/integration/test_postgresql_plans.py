"""On PostgreSQL no question reads a whole table where an index serves, once the tables have some size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from lineage.graph import sql, sql_dialect, sql_facts, sql_plain
from lineage.graph.backend import Direction, Way
from lineage.graph.sql_query import id_table
from lineage.graph.sql_walk import closure_sql, step_sql
from lineage.services import as_of as moments
from lineage.services import project, project_entries
from tests.graph_generator import generate
from tests.graph_rows import GraphRows
from tests.integration.projections import RandomLog
from tests.integration.test_graph_read_plans import QUESTIONS, Query, ends, recorded

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's plans"),
]
STEPS = 12_000
FEW = 40_000
"""Rows of a table that may be read from one end to the other: that costs no more than some hundred probes."""
HUB_DEGREE = 2_000

SHARE = 30
"""A query that asks about each thirtieth row of a table or more may as well read all of it."""

WHOLE = {
    "text": "a part of a name is looked for in all names",
    "page": "all nodes are counted",
    "filtered": "all datasets are counted",
    "exceptions": "all exceptional statuses are sorted",
}
"""Questions about a whole table, though they name no rows of it."""


@pytest.fixture(params=[False, True], ids=["looked at closely", "looked at roughly"])
def rows(request: pytest.FixtureRequest, transactional_db: None) -> GraphRows:
    made = generate(STEPS)
    made.save()
    if request.param:
        sql.analyze(connection, roughly=True)
    else:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return made


def explained(query: Query) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + query[0], query[1])
        plan: dict[str, Any] = cursor.fetchone()[0][0]["Plan"]
        return plan


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from steps(below)


def rows_in(given: object) -> int:
    """How many values a parameter has: a list, or integers as PostgreSQL writes an array."""
    if isinstance(given, str) and given.startswith("{"):
        return given.count(",") + 1
    return len(given) if isinstance(given, list) else 1


def read_whole(query: Query) -> list[str]:
    """The tables that the query's plan scans though it asks about a few rows only."""
    asked = max((rows_in(given) for given in query[1]), default=1)
    found = []
    for step in steps(explained(query)):
        read = (step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) * step["Actual Loops"]
        if step["Node Type"] == "Seq Scan" and read > max(FEW, asked * SHARE):
            found.append(f"{step['Relation Name']}, {read} rows for {asked}, in {query[0]}")
    return found


def test_questions_are_served_by_indexes(rows: GraphRows) -> None:
    now = moments.resolve(None)
    key, hub = (f"sha256:{rest}" for rest in ends(rows))
    for name, ask in QUESTIONS.items():
        with recorded() as queries:
            ask(key, hub, now)
        assert len(queries) > 2
        whole = [table for query in queries for table in read_whole(query)]
        assert name in WHOLE or whole == [], name
        walks = [query for query in queries if "RECURSIVE" in query[0] and "graph_edge" in query[0]]
        for walk in walks if name == "closure" else ():
            used = {step.get("Index Name") for step in steps(explained(walk))}
            assert {"edge_identity", "edge_backwards"} <= used


def test_a_walk_over_a_hub_is_no_join_of_all_with_all(transactional_db: None) -> None:
    """Of tables that the planner has never looked at, and takes for small."""
    made = GraphRows()
    made.node("sha256:hub", "artifact", 0)
    for number in range(HUB_DEGREE):
        made.node(f"sha256:{number}", "artifact", number)
        made.edge(f"sha256:{number}", "WAS_DERIVED_FROM", "sha256:hub", number, signer="sha256:hub")
    made.save()
    walk = Way(Direction.DESCENDANTS, HUB_DEGREE)
    table, listed = id_table(made.ids.values())
    level, params = step_sql(walk, f"{table} r")
    closure, more = closure_sql([made.ids["sha256:hub"]], walk)
    for query in ((level, [*listed, *params]), (closure + " SELECT id FROM r", more)):
        assert "Seq Scan" not in {step["Node Type"] for step in steps(explained(query))}


EXPECTED = {
    sql_facts._ATTESTED: ({"claim_attested"}, "ROW(signer_id, (trust)::text) > ROW"),
    sql_facts._SAID: ({"claim_read"}, "ROW((kind)::text, value, signer_id, (trust)::text) > ROW"),
    sql_facts._DECIDED: ({"claim_node", "claim_value"}, ""),
    sql_facts._CHECKS: ({"check_copy"}, "ROW(location, (outcome)::text, strength, signer_id) > ROW"),
    sql_facts._EARLIER_CHECKS: ({"check_copy"}, "location = w.location"),
    sql_facts._OPEN: ({"status_current", "status_node"}, "node_id = "),
    sql_facts._CAUSES: ({"edge_identity"}, "source_id = "),
    sql_facts._ORIGINS: ({"edge_identity"}, "source_id = "),
    sql_facts._OUTPUTS: ({"edge_backwards", "edge_identity"}, "type"),
    sql_facts._DEPLOYMENTS: ({"edge_backwards", "edge_identity"}, "type"),
    sql_facts._EDGES: ({"edge_identity", "edge_backwards"}, "source_id = "),
    sql_facts._SUPPORTED: ({"support_signer"}, "signer_id = "),
    sql_plain._PLAIN: ({"claim_node", "claim_value", "claim_read"}, "node_id = "),
    sql_plain._ATTESTED: ({"claim_attested", "claim_node"}, "node_id = "),
    sql_plain._OPEN: ({"status_current", "status_node"}, "node_id = "),
    project_entries._SAME: ({"log_entry_statement_digest_73878e65"}, "statement_digest"),
}
"""For each of the projector's queries the indexes, one of which its plan must enter, with that condition."""


def parameters(template: str) -> list[Any]:
    vendor = connection.vendor
    if "{edges}" in template:
        return sql_dialect.listed([(n, "USED", n + 1) for n in range(60)], vendor)
    if "{groups}" in template:
        return sql_dialect.listed([(n, "file:///x", "match", 3, 1, 50) for n in range(60)], vendor)
    if "{digests}" in template:
        return sql_dialect.listed_digests([f"{n:064x}" for n in range(60)], vendor)
    if "{texts}" in template:
        return sql_dialect.listed([f"{n:064x}" for n in range(60)], vendor)
    if "{ids}" in template:
        return sql_dialect.listed(list(range(60)), vendor)
    return [3, STEPS - 50, STEPS] * 4


@pytest.mark.parametrize("withdrawn", [False, True], ids=["all counts", "some is withdrawn"])
def test_the_projectors_queries_go_by_indexes(rows: GraphRows, withdrawn: bool) -> None:
    gone = sql_dialect.listed(list(range(40)), connection.vendor)
    for template, (indexes, condition) in EXPECTED.items():
        less = withdrawn and sql_dialect.tells_withdrawn(template)
        query = sql_dialect.query(template, connection.vendor, withdrawn=less)
        with sql.snapshot(connection):
            plan = explained((query, gone * less + parameters(template)))
        assert not [step for step in steps(plan) if step["Node Type"] == "Seq Scan"], (query, plan)
        entered = [
            str(step.get("Index Cond"))
            for step in steps(plan)
            if step.get("Index Name") in indexes and "Index Cond" in step
        ]
        assert any(condition in cond for cond in entered), (query, plan)


def test_a_graph_that_has_doubled_is_looked_at_anew(log: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planner has numbers to go by without waiting for the database's own housekeeping."""
    monkeypatch.setattr(project, "ANALYZED_FROM", 16)
    looked: list[int] = []
    analyze = sql.analyze

    def noted(database: Any, roughly: bool) -> None:
        looked.append(project.watermark())
        analyze(database, roughly)

    monkeypatch.setattr(sql, "analyze", noted)
    RandomLog(8).grow(80)
    while project.project_pending(5):
        pass
    assert len(looked) == 2
    assert looked[0] < 2 * 32 <= looked[1]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, reltuples > 0 FROM pg_class"
            " WHERE relname IN ('graph_node', 'log_entry', 'log_entry_subject')"
        )
        assert dict(cursor.fetchall()) == {"graph_node": True, "log_entry": True, "log_entry_subject": True}


def test_every_text_of_log_and_graph_is_compared_by_bytes(transactional_db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name || '.' || column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying') "
            "AND (starts_with(table_name, 'log_') OR starts_with(table_name, 'graph_')) "
            "AND collation_name IS DISTINCT FROM 'C'"
        )
        assert cursor.fetchall() == [("log_head.origin",)]


def test_a_commit_of_the_graph_does_not_wait_and_the_next_one_does(log: None) -> None:
    def synchronous() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            return str(cursor.fetchone()[0])

    with sql.unsynced(connection):
        assert synchronous() == "off"
    assert synchronous() == "on"


def test_a_look_for_news_reads_one_entry_of_the_log(log: None) -> None:
    RandomLog(8).grow(60)
    while project.project_pending():
        pass
    plan = explained((project._LOOK, []))
    assert [step["Actual Rows"] for step in steps(plan) if step.get("Relation Name") == "log_entry"] == [1]
