"""Making the whole graph anew from memory: the rows and indexes of following the log, after any crash."""

from __future__ import annotations

import marshal
import os
import signal
import subprocess
import sys
from contextlib import nullcontext, suppress
from threading import Event, Thread
from typing import Any

import msgspec
import pytest
from django.db import connection

from lineage.db.models import Entry, LogHead
from lineage.errors import ConflictError, UnavailableError
from lineage.graph import sql, sql_indexes
from lineage.graph.check_policy import CheckPolicy, Schedule
from lineage.services import decide_checks, fill, fill_writer, project, withdraw
from lineage.services.clock import now_us
from tests import factories
from tests.descending import running
from tests.integration.projections import ROOT, RandomLog, check, deployment, dump, send

pytestmark = pytest.mark.usefixtures("log", "storage_root")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "LEAST_ENTRIES", 1)
    monkeypatch.setattr(fill, "BATCH", 7)
    monkeypatch.setattr(fill, "ROWS", 11)
    monkeypatch.setattr(fill, "HELD", 50)


def follow() -> None:
    while project.project_pending(50):
        pass


def indexes() -> set[str]:
    return {
        name
        for table in ("graph_node", "graph_edge", "graph_support", "graph_claim", "graph_check",
                      "graph_copy", "graph_status")
        for name in sql_indexes.names(connection, table)
    }  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2, 4])
def test_it_makes_the_rows_that_following_the_log_makes(seed: int) -> None:
    RandomLog(seed).grow(120)
    follow()
    expected, there = dump(), indexes()
    seen: list[int] = []
    assert project.rebuild(lambda done, total: seen.append(done)) == project.watermark() == seen[-1]
    assert len(seen) > 5
    assert dump() == expected
    assert indexes() == there


def test_what_is_believed_changes_in_memory_but_for_what_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A compromised key and a check policy are folded; before a withdrawal the projector takes over."""
    told = [
        factories.provenance([_artifact(n)], [_artifact(n // 2), _artifact(n - 1)], invocation=f"{n}")
        for n in range(1, 16)
    ]
    who, thief = factories.registered(), factories.registered()
    indexes = list[int]()
    for number, said in enumerate(told):
        indexes.append(send(thief if number % 3 else who, said))
        send(who, deployment(f"d{number}", _artifact(number)))
    send(thief, check(factories.sha256("a4"), f"file://{ROOT}/4.bin", "match", now_us()))
    received = Entry.objects.order_by("index").values_list("received_us", flat=True)
    factories.revoke(who, list(received)[20], compromised=True)
    decide_checks.set_check_policy(CheckPolicy(default=Schedule(full=3600)), person=factories.PERSON)
    send(thief, factories.provenance([_artifact(30)], [_artifact(3)], invocation="last"))
    folded = LogHead.objects.get(pk=1).size
    wrong = Entry.objects.get(pk=indexes[4]).statement_digest
    withdraw.withdraw(f"sha256:{wrong}", "by mistake", person=factories.PERSON)
    send(thief, factories.provenance([_artifact(31)], [_artifact(5)], invocation="after"))
    follow()
    expected, whole = dump(), fill.fill
    ends: list[int] = []

    def counted(*given: Any) -> int:
        ends.append(whole(*given))
        return ends[-1]

    monkeypatch.setattr(fill, "fill", counted)
    project.rebuild()
    assert ends == [folded]
    assert dump() == expected
    assert {row[5] for row in expected["statuses"]} == {"failed", "expired", "unverified", "verified"}
    assert any(row[2] >= 0 for row in expected["statuses"]), "statuses that were closed"


def _artifact(number: int) -> dict[str, Any]:
    members = {"downloadLocation": f"file://{ROOT}/{number}.bin"} if number % 4 == 0 else {}
    return factories.artifact(f"a{number}", factories.sha256(f"a{number}"), **members)


@pytest.mark.parametrize("when", ["among the rows", "with all of them and their indexes"])
def test_a_fill_that_died_starts_over_with_all_indexes(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    RandomLog(3).grow(60)
    follow()
    expected, there = dump(), indexes()

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    def strike(done: int, _total: int) -> None:
        if done > 5 and when == "among the rows":
            die()

    with monkeypatch.context() as patched:
        # As after a kill: neither what ends a fill nor what makes its indexes again was run.
        patched.setattr(fill, "_give_up", die)
        patched.setattr(sql, "filled", die)
        with pytest.raises(KeyboardInterrupt):
            project.rebuild(strike)
    assert indexes() < there or when != "among the rows"
    assert project.watermark() == 0
    follow()
    assert indexes() == there
    assert dump() == expected


def test_while_one_fills_others_leave_the_tables_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    RandomLog(5).grow(30)
    follow()
    expected, asked = dump(), list[int]()

    def look(done: int, _total: int) -> None:
        monkeypatch.setattr(fill, "lock", _held)
        asked.append(project.project_pending())
        with pytest.raises(ConflictError):
            project.rebuild()

    project.rebuild(look)
    monkeypatch.undo()
    assert set(asked) == {0}
    assert dump() == expected


def writers() -> list[int]:
    """The processes that write rows for this one."""
    return running("fill_process")


def test_a_killed_writer_leaves_no_half_of_a_graph() -> None:
    RandomLog(1).grow(90)
    follow()
    expected, there = dump(), indexes()

    def strike(done: int, _total: int) -> None:
        if done > 10:
            for process in writers():
                os.kill(process, signal.SIGKILL)

    with pytest.raises(UnavailableError, match="ended by signal 9 before it had written all"):
        project.rebuild(strike)
    assert project.watermark() == 0
    assert indexes() == there
    assert writers() == []
    follow()
    assert dump() == expected


def test_a_writer_that_is_killed_among_the_indexes_leaves_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("a server's process would go on with the statement that does not end")
    RandomLog(1).grow(60)
    follow()
    expected, there = dump(), indexes()
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    missing, before = sql_indexes.missing, list[set[str]]()

    def with_endless(database: Any) -> tuple[str, ...]:
        found = missing(database)
        before.append(indexes())
        return (*found[:5], endless, *found[5:]) if len(before) == 1 else found

    ended = Event()

    def strike() -> None:
        while not ended.wait(0.01):
            if before and len(indexes() - before[0]) == 5:
                for process in writers():
                    os.kill(process, signal.SIGKILL)
                break
        connection.close()

    monkeypatch.setattr(sql_indexes, "missing", with_endless)
    killer = Thread(target=strike)
    killer.start()
    try:
        with pytest.raises(UnavailableError, match="ended by signal 9 before it had written all"):
            project.rebuild()
    finally:
        ended.set()
        killer.join()
    assert project.watermark() == 0
    assert indexes() == there
    assert writers() == []
    follow()
    assert dump() == expected


def test_rows_of_tables_that_were_emptied_meanwhile_stay_out() -> None:
    RandomLog(2).grow(90)
    follow()
    expected, emptied = dump(), list[int]()

    def empty(done: int, _total: int) -> None:
        if done > 10 and not emptied:
            with connection.cursor() as cursor:
                state = sql.read_state(cursor)
                assert state is not None
                assert sql.reset(cursor, state, project.fingerprint())
            emptied.append(done)

    with pytest.raises(UnavailableError, match="emptied while it was made"):
        project.rebuild(empty)
    with connection.cursor() as cursor:
        for table in sql.INSERTS.values():
            cursor.execute(f"SELECT COUNT(*) FROM {table.name}")
            assert cursor.fetchone() == (0,)
    assert writers() == []
    follow()
    assert dump() == expected


def test_a_disk_that_fills_up_is_told_and_leaves_no_half(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("no other than SQLite can be told how many pages there are")
    RandomLog(1).grow(120)
    follow()
    expected, there = dump(), indexes()
    with connection.cursor() as cursor:
        state = sql.read_state(cursor)
        assert state is not None
        assert sql.reset(cursor, state, project.fingerprint())
        sql_indexes.drop(connection)  # so that no page is free
        cursor.execute("VACUUM graph")
        (pages,) = cursor.execute("PRAGMA graph.page_count").fetchone()
    options = connection.settings_dict["OPTIONS"]
    with monkeypatch.context() as patched:
        # Of connections made from here on: the writing process's.
        patched.setitem(options, "graph", options["graph"] + f" PRAGMA graph.max_page_count = {pages};")
        with pytest.raises(UnavailableError, match="full"):
            project.rebuild()
    assert project.watermark() == 0
    assert indexes() == there
    follow()
    assert dump() == expected


def test_a_writer_that_is_left_writes_nothing_more() -> None:
    """Whoever gave the order may be killed at any moment: the nodes that are held back are no graph."""
    project.rebuild()
    with connection.cursor() as cursor:
        state = sql.read_state(cursor)
    assert state is not None
    expected = dump()
    order = fill_writer.Order(fill_writer.database(), state.generation, rows=10, held=10)
    with suppress(KeyboardInterrupt), fill_writer.writing(order) as writer:
        writer.write(sql.Rows(nodes=[(1 << 40, "sha256:ff", "artifact", 0)]))
        raise KeyboardInterrupt
    assert writers() == []
    assert dump() == expected
    packet = marshal.dumps(("nodes", [(1 << 40, "sha256:ff", "artifact", 0)]), 2)
    size = len(packet).to_bytes(fill_writer.HEAD_BYTES, "little")
    for cut in (size + packet, size + packet[:-3], (size + packet)[:5]):
        done = subprocess.run(
            [sys.executable, "-m", "lineage.services.fill_process"],
            input=msgspec.json.encode(order) + b"\n" + cut,
            stdout=subprocess.PIPE,
            check=False,
        )
        assert done.returncode == 1
        assert b"ended before their end was told" in done.stdout
    assert dump() == expected


def test_a_node_that_is_there_twice_makes_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing keeps it out until its index is made."""
    RandomLog(1).grow(40)
    follow()
    expected, there, sent = dump(), indexes(), fill_writer.Writer.write

    def twice(self: fill_writer.Writer, rows: sql.Rows) -> None:
        rows.nodes.extend((number + (1 << 40), *more) for number, *more in rows.nodes[:1])
        sent(self, rows)

    with monkeypatch.context() as patched:
        patched.setattr(fill_writer.Writer, "write", twice)
        with pytest.raises(UnavailableError, match="IntegrityError"):
            project.rebuild()
    assert project.watermark() == 0
    assert indexes() == there
    follow()
    assert dump() == expected


def _held() -> Any:
    return nullcontext(False)


def test_the_lock_is_one_process_s(tmp_path: Any) -> None:
    with fill.lock() as mine:
        assert mine
        if connection.vendor == "sqlite":  # PostgreSQL's is the connection's, which is the same here
            with fill.lock() as another:
                assert not another
    with fill.lock() as again:
        assert again
