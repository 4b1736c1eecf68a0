"""SQLite's file of the graph: who has which lock, and that it is of this log and of this version."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from lineage.db.sqlite import graph_file
from lineage.graph import sql
from lineage.services import intake, log_connection, project
from tests import factories
from tests.integration.projections import RandomLog, dump
from tests.server import prepared, run

FORMS = {1: "51d77f61709db9a9"}
"""SHA-256 of what makes the tables, the first 16 digits, by `graph_file.FORM`."""


@pytest.fixture(autouse=True)
def sqlite(log: None) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps the graph with the log")


START = """
import json, os
import django; django.setup()
from lineage.services import project
"""
LOOK = START + 'print(json.dumps({"projected": project.watermark()}))'
GROW = (
    START
    + """
from lineage.services import graph_check
from tests.integration.projections import RandomLog, dump
from tests.server import prepared, run
if count := int(os.environ["COUNT"]):
    RandomLog(int(os.environ["SEED"])).grow(count)
while project.project_pending(50):
    pass
found = graph_check.check("sql").differences
print(json.dumps({"projected": project.watermark(), "rows": repr(dump()), "differences": found}))
"""
)


def begun(folder: Path) -> Path:
    """A home whose log has begun. It has processes of its own: files are exchanged beneath none that runs."""
    home = folder / "home"
    prepared(home, {})
    return home


def said(home: Path, program: str, **more: str) -> Any:
    return json.loads(run(home, program, more).splitlines()[-1])


def files() -> tuple[Path, Path]:
    """The log's and the graph's."""
    name = connection.settings_dict["NAME"]
    return Path(name), Path(name + graph_file.SUFFIX)


def leave() -> None:
    """As when the server ends: no connection of this process is open."""
    connection.close()
    log_connection.close()


def follow() -> None:
    while project.project_pending(50):
        pass


@pytest.fixture
def other() -> Iterator[sqlite3.Connection]:
    """Another process's connection, which waits for nobody."""
    with closing(sqlite3.connect(files()[0], timeout=0, isolation_level=None)) as raw:
        raw.execute("ATTACH DATABASE ? AS graph", [str(files()[1])])
        yield raw


def locked(raw: sqlite3.Connection, schema: str) -> bool:
    """Whether somebody else may write to that file and this connection not."""
    try:
        graph_file.begin(raw, schema)
    except sqlite3.OperationalError:
        return True
    raw.execute("ROLLBACK")
    return False


def test_the_framework_locks_the_log_alone(other: sqlite3.Connection) -> None:
    with transaction.atomic():
        assert locked(other, "main")
        assert not locked(other, "graph")
    assert not locked(other, "main")


def test_the_projector_locks_the_graph_alone(other: sqlite3.Connection) -> None:
    with sql.unsynced(connection):
        assert locked(other, "graph")
        assert not locked(other, "main")
    assert not locked(other, "graph")


def test_while_the_graph_is_written_statements_and_pages_are(other: sqlite3.Connection) -> None:
    signer = factories.registered()
    graph_file.begin(other, "graph")
    assert intake.submit(signer.envelope(factories.statement()), token="t").created
    with transaction.atomic():
        Session.objects.create(session_key="k", session_data="", expire_date=timezone.now())
    other.execute("ROLLBACK")
    assert Session.objects.filter(session_key="k").exists()


def test_who_waits_for_the_log_in_vain_has_no_transaction_open(other: sqlite3.Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 1")
    graph_file.begin(other, "main")
    with pytest.raises(DatabaseError, match="locked"), transaction.atomic():
        pytest.fail("the lock is another's")
    other.execute("ROLLBACK")
    assert not connection.connection.in_transaction
    assert not locked(other, "main")
    connection.close()


def test_the_logs_file_has_no_table_of_the_graph(other: sqlite3.Connection) -> None:
    found = other.execute("SELECT count(*) FROM main.sqlite_master WHERE tbl_name GLOB 'graph_*'")
    assert found.fetchone() == (0,)
    assert len(graph_file.tables(other)) == 11


def test_the_form_is_raised_with_the_models() -> None:
    made = hashlib.sha256("\n".join(graph_file._statements()).encode()).hexdigest()[:16]
    assert FORMS.get(graph_file.FORM) == made, "raise FORM, or files made before keep the old tables"


def test_a_file_that_is_gone_is_made_again(tmp_path: Path) -> None:
    home = begun(tmp_path)
    before = said(home, GROW, SEED="3", COUNT="40")
    for end in ("", "-wal", "-shm"):
        Path(f"{home}/lineage.sqlite3{graph_file.SUFFIX}{end}").unlink(missing_ok=True)
    assert said(home, LOOK) == {"projected": 0}
    assert said(home, GROW, SEED="3", COUNT="0") == before


def test_tables_of_another_form_are_made_anew(other: sqlite3.Connection) -> None:
    RandomLog(4).grow(40)
    follow()
    expected = dump()
    leave()
    other.execute("ALTER TABLE graph.graph_node RENAME COLUMN kind TO sort")
    other.execute(f"PRAGMA graph.user_version = {graph_file.FORM + 1}")
    assert project.watermark() == 0
    follow()
    assert dump() == expected


def test_a_damaged_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    Path(f"{tmp_path}/log{graph_file.SUFFIX}").write_bytes(bytes(range(256)) * 64)
    with (
        closing(sqlite3.connect(tmp_path / "log", isolation_level=None)) as raw,
        pytest.raises(sqlite3.DatabaseError, match=r"not a database\. Nothing is in it .* made anew"),
    ):
        graph_file.attach(raw, f"{tmp_path}/log", "PRAGMA graph.journal_mode=WAL")


def test_a_log_that_is_put_back_has_none_of_the_later_graph(tmp_path: Path) -> None:
    """Yesterday's file of the log beneath today's graph, also where as many entries have come since."""
    home = begun(tmp_path)
    said(home, GROW, SEED="5", COUNT="30")
    shutil.copy(home / "lineage.sqlite3", tmp_path / "yesterday")
    today = said(home, GROW, SEED="6", COUNT="30")
    shutil.copy(tmp_path / "yesterday", home / "lineage.sqlite3")
    (home / "high-water").unlink(missing_ok=True)
    assert said(home, LOOK) == {"projected": 0}, "known as soon as anybody connects"
    other = said(home, GROW, SEED="7", COUNT="60")
    assert other["projected"] > today["projected"]
    assert other["differences"] == 0


def test_the_projector_notices_another_log_beneath_an_open_connection() -> None:
    RandomLog(7).grow(30)
    follow()
    expected = dump()
    with sql.unsynced(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE graph_state SET leaf = %s", [bytes(32)])
        generation = sql.read_state(cursor).generation  # type: ignore[union-attr]
    follow()
    with connection.cursor() as cursor:
        assert sql.read_state(cursor).generation != generation  # type: ignore[union-attr]
    assert dump() == expected


def test_an_entry_that_came_while_it_was_looked_at_is_no_other_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement reads two files one after the other: the graph may be the newer of the two."""
    RandomLog(8).grow(10)
    follow()
    with connection.cursor() as cursor:
        before = sql.read_state(cursor)
    look = project._read_look

    def hasty() -> project._Look | None:
        found = look()
        return found and dataclasses.replace(found, other_log=True)

    monkeypatch.setattr(project, "_read_look", hasty)
    assert project.project_pending() == 0
    with connection.cursor() as cursor:
        assert sql.read_state(cursor) == before
