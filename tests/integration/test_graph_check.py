"""`lineage graph check` on the database's tables: what is changed by hand is found, named and put right."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from lineage.cli.main import run
from lineage.config import current
from lineage.db.models import Job
from lineage.errors import ConflictError, MalformedError
from lineage.services import graph_check, graph_check_tables, graph_replay, jobs, project
from tests.integration.projections import RandomLog, dump

pytestmark = pytest.mark.usefixtures("log", "storage_root")


def sql(statement: str) -> int:
    """Run it by hand, as nobody should; returns how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.rowcount)


def one(query: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.fetchone()[0])


@pytest.fixture
def projected(graph: Callable[[], int]) -> int:
    """A random log with every kind of entry, in the graph; returns its size."""
    RandomLog(5).grow(90)
    return graph()


def leftovers() -> list[Path]:
    return list(current().home.glob("graph-check-*"))


def test_a_graph_that_nobody_touched_is_the_logs(projected: int) -> None:
    report = graph_check.check("sql")
    assert (report.differences, report.examples, report.repaired) == (0, (), False)
    assert report.size == projected
    tables = dump()
    for row, table in (
        ("node", "nodes"), ("edge", "edges"), ("support", "support"), ("claim", "claims"),
        ("check", "checks"), ("status", "statuses"), ("skipped", "skipped"), ("copy", "copies"),
    ):  # fmt: skip
        assert report.compared[row] == len(tables[table]) > 0, row
    assert not leftovers()


EDGE = "(SELECT MAX(id) FROM graph_edge WHERE type = 'USED')"
NEWEST, OLDEST = "(SELECT MAX(id) FROM graph_node)", "(SELECT MIN(id) FROM graph_node)"
NEW_EDGE = "INSERT INTO graph_edge (id, source_id, type, target_id, first_index) VALUES (900, "
LAST = "(SELECT MAX(id) FROM graph_{})"
COPY = ", ".join(graph_check_tables.COPY.columns[1:])
TAMPERED: dict[str, tuple[list[str], set[str]]] = {
    "an edge taken away": (
        [f"DELETE FROM graph_support WHERE edge_id = {EDGE}", f"DELETE FROM graph_edge WHERE id = {EDGE}"],
        {"edge missing", "support missing"},
    ),
    "an edge made up": (
        [f"{NEW_EDGE}{OLDEST}, 'WAS_DERIVED_FROM', {NEWEST}, 2)"],
        {"edge extra"},
    ),
    "an edge of another type": (
        [f"UPDATE graph_edge SET type = 'PART_OF' WHERE id = {EDGE}"],
        {"edge missing", "edge extra", "support missing", "support extra"},
    ),
    "an edge known earlier": (["UPDATE graph_edge SET first_index = 0 WHERE id = 5"], {"edge changed"}),
    "an edge known only later": (
        ["UPDATE graph_edge SET first_index = 999999 WHERE id = 5"],
        {"edge changed"},
    ),
    "an edge that leads elsewhere": (
        [f"UPDATE graph_edge SET target_id = 999999 WHERE id = {EDGE}"],
        {"edge missing", "edge extra", "support missing", "support extra"},
    ),
    "an edge from nowhere": (
        [f"{NEW_EDGE}888, 'USED', 1, 2)"],
        {"edge extra"},
    ),
    "a node made up": (
        ["INSERT INTO graph_node (id, key, kind, first_index) VALUES (900, 'sha256:00ff', 'artifact', 3)"],
        {"node extra"},
    ),
    "a node made up with a claim": (
        [
            "INSERT INTO graph_node (id, key, kind, first_index) VALUES (900, 'sha256:00ff', 'artifact', 3)",
            'INSERT INTO graph_claim (node_id, kind, value, "index", signer_id, trust)'
            " VALUES (900, 'name', 'evil', 3, 1, 'signed')",
        ],
        {"node extra", "claim extra"},
    ),
    "a node of another kind": (
        ["UPDATE graph_node SET kind = 'supplier' WHERE id = (SELECT MAX(id) FROM graph_node)"],
        {"node changed"},
    ),
    "a node known later": (
        ["UPDATE graph_node SET first_index = first_index + 1 WHERE id = 7"],
        {"node changed"},
    ),
    "support made up": (
        [f"INSERT INTO graph_support (edge_id, \"index\", signer_id, trust) VALUES ({EDGE}, 3, 1, 'signed')"],
        {"support extra"},
    ),
    "support by another": (
        ["UPDATE graph_support SET signer_id = 1 WHERE id = (SELECT MAX(id) FROM graph_support)"],
        {"support missing", "support extra"},
    ),
    "support twice": (
        [
            'INSERT INTO graph_support (edge_id, "index", signer_id, trust)'
            ' SELECT edge_id, "index", signer_id, trust FROM graph_support WHERE id = '
            + LAST.format("support"),
        ],
        {"support extra"},
    ),
    "support of nothing": (
        ["INSERT INTO graph_support (edge_id, \"index\", signer_id, trust) VALUES (99999, 3, 1, 'signed')"],
        {"support extra"},
    ),
    "a claim reworded": (
        ["UPDATE graph_claim SET value = 'harmless' WHERE id = " + LAST.format("claim WHERE kind = 'name'")],
        {"claim missing", "claim extra"},
    ),
    "a check turned into a match": (
        [
            "UPDATE graph_check SET outcome = 'match' WHERE id = "
            + LAST.format("check WHERE outcome = 'mismatch'")
        ],
        {"check missing", "check extra"},
    ),
    "a failure turned green": (
        [
            "UPDATE graph_status SET status = 'verified', reasons = '' WHERE id ="
            " (SELECT MAX(id) FROM graph_status WHERE status = 'failed')"
        ],
        {"status changed"},
    ),
    "a failure ended": (
        [
            "UPDATE graph_status SET to_index = from_index + 1 WHERE id ="
            " (SELECT MAX(id) FROM graph_status WHERE to_index IS NULL)"
        ],
        {"status changed"},
    ),
    "a skipped entry forgotten": (["DELETE FROM graph_skipped_entry"], {"skipped missing"}),
    "a copy that differs, shown as one that matches": (
        ["UPDATE graph_copy SET outcome = 'match' WHERE outcome = 'mismatch'"],
        {"copy changed"},
    ),
    "copies that are never due again": (
        ["UPDATE graph_copy SET due_us = 9000000000000000000, overdue_us = 9000000000000000000"],
        {"copy changed"},
    ),
    "copies that nobody knows of": (["DELETE FROM graph_copy"], {"copy missing"}),
    "a copy of nothing": (
        [
            f"INSERT INTO graph_copy (node_id, {COPY}) SELECT 99999, {COPY} FROM graph_copy LIMIT 1"
        ],
        {"copy extra"},
    ),
    "all of it gone": (
        [
            f"DELETE FROM graph_{table}"
            for table in ("copy", "status", "check", "claim", "support", "edge", "node")
        ],
        {f"{row} missing" for row in ("copy", "status", "check", "claim", "support", "edge", "node")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERED)
def test_what_is_changed_by_hand_is_named_and_put_right(projected: int, how: str) -> None:
    statements, kinds = TAMPERED[how]
    before = dump()
    for statement in statements:
        assert sql(statement) > 0, statement
    found = graph_check.check("sql")
    assert set(found.kinds) == kinds
    assert found.differences == sum(found.kinds.values())
    assert 0 < len(found.examples) <= 50
    assert not found.repaired
    repaired = graph_check.check("sql", repair=True)
    assert (repaired.kinds, repaired.repaired) == (found.kinds, True)
    assert dump() == before
    assert graph_check.check("sql").differences == 0
    assert not leftovers()


def test_an_example_names_the_row_and_both_values(projected: int) -> None:
    sql("UPDATE graph_edge SET first_index = first_index + 7 WHERE id = 5")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.key, e.type, b.key, e.first_index FROM graph_edge e"
            " JOIN graph_node a ON a.id = e.source_id JOIN graph_node b ON b.id = e.target_id WHERE e.id = 5"
        )
        source, kind, target, first = cursor.fetchone()
    (example,) = graph_check.check("sql").examples
    assert (
        example == f"edge changed: {source} {kind} {target}: first_index is {first}, by the log {first - 7}"
    )


def test_a_graph_ahead_of_the_log_or_of_other_rules_is_told(projected: int) -> None:
    sql("UPDATE graph_state SET projected = projected + 3")
    assert graph_check.check("sql").kinds == {"watermark changed": 1}
    sql("UPDATE graph_state SET projected = projected - 3, rules = 'v0:other'")
    assert graph_check.check("sql").kinds == {"rules changed": 1}
    assert graph_check.check("sql", repair=True).repaired
    assert graph_check.check("sql").differences == 0


def test_entries_projected_meanwhile_are_left_alone(projected: int) -> None:
    """At each stage of the check the log grows and the graph follows: statuses end, nodes get edges."""
    grown, stages = RandomLog(8), set[str]()

    def meanwhile(done: int, total: int, what: str) -> None:
        if what not in stages:
            stages.add(what)
            grown.grow(25)
            while project.project_pending():
                pass

    report = graph_check.check("sql", progress=meanwhile)
    assert (report.differences, report.size) == (0, projected)
    assert len(stages) == 4
    assert project.watermark() > projected + 50


def test_a_projector_that_never_rests_makes_no_difference(projected: int) -> None:
    stop, grown, failed = threading.Event(), RandomLog(9), list[BaseException]()

    def work() -> None:
        try:
            while not stop.is_set():
                grown.grow(3)
                while project.project_pending(2):
                    pass
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        reports = [graph_check.check("sql") for _ in range(4)]
    finally:
        stop.set()
        worker.join()
    assert not failed
    assert [report.differences for report in reports] == [0] * 4, reports


def test_a_graph_made_anew_meanwhile_is_no_difference_but_a_conflict(projected: int) -> None:
    with pytest.raises(ConflictError):
        graph_check.check("sql", progress=lambda *_: project._reset(project._look().state))
    assert not leftovers()


def test_what_is_not_projected_yet_is_not_missing(projected: int) -> None:
    RandomLog(3).grow(5)
    assert graph_check.check("sql").size == projected
    project._reset(project._look().state)
    empty = graph_check.check("sql")
    assert (empty.size, empty.differences) == (0, 0)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(MalformedError):
        graph_check.check("neo4j")


def test_the_command_says_what_differs_and_keeps_it(
    projected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["graph", "check"]) == 0
    assert "no difference" in capsys.readouterr().out
    sql("UPDATE graph_node SET kind = 'place' WHERE id = 7")
    assert run(["graph", "check", "--json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)["checks"]
    assert (told["backend"], told["differences"], told["repaired"]) == ("sql", 1, False)
    assert run(["graph", "check", "--backend", "sql", "--repair"]) == 0
    assert "put right" in capsys.readouterr().out
    assert run(["graph", "check"]) == 0
    kept = Job.objects.filter(kind=graph_check.KIND).order_by("id")
    assert [job.result["differences"] for job in kept if job.result] == [0, 1, 1, 0]
    assert {job.state for job in kept} == {Job.State.DONE}
    assert all(job.requested_by.startswith("os:") for job in kept)


def test_the_job_checks_and_repairs(projected: int) -> None:
    sql("DELETE FROM graph_support WHERE id = (SELECT MIN(id) FROM graph_support)")
    job_id = jobs.enqueue(graph_check.KIND, "sql repair", {"repair": True})
    assert jobs.drain("a worker") == 1
    job = Job.objects.get(pk=job_id)
    assert job.state == Job.State.DONE
    report = graph_check.kept(job.result or {})
    assert report is not None
    assert (report.backend, report.kinds, report.repaired) == ("sql", {"support missing": 1}, True)
    assert "put right" in report.sentence()


KILLED = """
import os, signal
import django
django.setup()
from lineage.services import graph_check
stages = []
def die(done, total, what):
    stages.append(what)
    if what == os.environ["DIE_AT"]:
        os.kill(os.getpid(), signal.SIGKILL)
graph_check.check("sql", progress=die)
raise SystemExit(f"nobody died: {stages}")
"""


@pytest.mark.skipif(connection.vendor != "sqlite", reason="the process needs this test's database as a file")
@pytest.mark.parametrize("stage", ["reading the log", "comparing nodes and edges"])
def test_a_killed_check_leaves_nothing_behind(projected: int, stage: str) -> None:
    before, files = dump(), set(os.listdir(current().home))
    settings = {"LINEAGE_HOME": str(current().home), "DJANGO_SETTINGS_MODULE": "lineage.settings"}
    database = f"sqlite://{connection.settings_dict['NAME']}"
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        env=os.environ | settings | {"LINEAGE_DATABASE_URL": database, "DIE_AT": stage},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert dump() == before
    assert set(os.listdir(current().home)) == files
    assert one("SELECT count(*) FROM graph_node") == len(before["nodes"])


def test_the_scratch_file_has_no_name_while_it_is_used() -> None:
    with graph_replay.replay() as played:
        assert not leftovers()
        played.follow(1)
        with played.database.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM graph_node")
            assert cursor.fetchone()[0] == 4
