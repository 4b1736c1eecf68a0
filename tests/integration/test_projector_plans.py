"""The projector's queries go by indexes, with statistics of the tables and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from lineage.graph import sql_dialect, sql_facts, sql_plain
from lineage.services import project, project_entries
from tests.integration.projections import RandomLog

pytestmark = [
    pytest.mark.usefixtures("log"),
    pytest.mark.skipif(
        connection.vendor != "sqlite", reason="SQLite's plans; PostgreSQL's are in test_postgresql_plans"
    ),
]

EXPECTED = {
    sql_facts._ATTESTED: ("claim_attested (node_id=? AND (signer_id,trust)>(?,?))",),
    sql_facts._SAID: ("claim_read (node_id=? AND (kind,value,signer_id,trust)>(?,?,?,?))",),
    sql_facts._DECIDED: ("claim_node (node_id=? AND kind=?)",),
    sql_facts._CHECKS: ("check_copy (node_id=? AND (location,outcome,strength,signer_id)>(?,?,?,?))",),
    sql_facts._EARLIER_CHECKS: (
        "check_copy (node_id=? AND location=? AND outcome=? AND strength=? AND signer_id=?)",
    ),
    sql_facts._OPEN: ("status_current (node_id=?)",),
    sql_facts._CAUSES: ("(source_id=? AND type=?)",),
    sql_facts._OUTPUTS: ("edge_backwards (target_id=? AND type=?)",),
    sql_facts._DEPLOYMENTS: ("edge_backwards (target_id=? AND type=?)",),
    sql_facts._EDGES: (
        "(source_id=? AND type=? AND target_id=?)",
        "(target_id=? AND type=? AND source_id=?)",
    ),
    sql_facts._SUPPORTED: ("support_signer (signer_id=? AND index>? AND index<?)",),
    sql_plain._PLAIN: ("claim_node (node_id=? AND kind=?)",),
    sql_plain._ATTESTED: ("claim_attested (node_id=?)", "claim_node (node_id=? AND kind=?)"),
    sql_plain._OPEN: ("status_current (node_id=?)",),
    project_entries._SAME: ("(statement_digest=?)",),
}
"""For each query, the step that must be in its plan: any of these."""


def plan(query: str, *, withdrawn: bool = False) -> list[str]:
    query = sql_dialect.query(query, connection.vendor, withdrawn=withdrawn)
    parameters = [1] * query.count("%s") if "json_each" not in query else ["[]"] * query.count("%s")
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN QUERY PLAN " + query, parameters)
        return [row[3] for row in cursor.fetchall()]


@pytest.fixture
def statistics() -> Iterator[Callable[[], None]]:
    """Gather SQLite's statistics; they are gone after the test, from the connection's memory too."""

    def gather() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    yield gather
    with connection.cursor() as cursor:
        for file in ("main", "graph"):
            cursor.execute(f"DROP TABLE IF EXISTS {file}.sqlite_stat1")
    connection.close()


def test_no_query_reads_a_whole_table(statistics: Callable[[], None]) -> None:
    RandomLog(8).grow(60)
    while project.project_pending():
        pass
    for gathered in (False, True):
        if gathered:
            statistics()
        for query, expected in EXPECTED.items():
            goes_by_indexes(query, plan(query), expected)
            if sql_dialect.tells_withdrawn(query):
                goes_by_indexes(query, plan(query, withdrawn=True), expected)


def goes_by_indexes(query: str, steps: list[str], expected: tuple[str, ...]) -> None:
    scans = {step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step}
    assert scans <= {"SCAN first", "SCAN newest", "SCAN void"}, (query, steps)
    assert not any("CORRELATED LIST" in step for step in steps), "what was withdrawn is listed once"
    assert any(part in " ".join(steps) for part in expected), (query, steps)


@pytest.mark.usefixtures("durable")
def test_the_logs_own_commits_still_wait_for_the_disk() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        before = cursor.fetchone()
    assert project.project_pending() == 1
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        assert cursor.fetchone() == before == (2,)
