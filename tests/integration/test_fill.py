"""Making the whole graph anew from memory: the rows and indexes of following the log, after any crash."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from django.db import connection

from lineage.db.models import Entry, LogHead
from lineage.errors import ConflictError
from lineage.graph import sql, sql_indexes
from lineage.graph.check_policy import CheckPolicy, Schedule
from lineage.services import decide_checks, fill, project, withdraw
from lineage.services.clock import now_us
from tests import factories
from tests.integration.projections import ROOT, RandomLog, check, deployment, dump, send

pytestmark = pytest.mark.usefixtures("log", "storage_root")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "LEAST_ENTRIES", 1)
    monkeypatch.setattr(fill, "BATCH", 7)
    monkeypatch.setattr(fill, "ROWS", 11)


def follow() -> None:
    while project.project_pending(50):
        pass


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        return {
            name
            for table in ("graph_node", "graph_edge", "graph_support", "graph_claim", "graph_check",
                          "graph_copy", "graph_status")
            for name in connection.introspection.get_constraints(cursor, table)
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


def test_a_fill_that_died_starts_over_with_all_indexes(monkeypatch: pytest.MonkeyPatch) -> None:
    RandomLog(3).grow(60)
    follow()
    expected, there = dump(), indexes()

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        # As after a kill: neither what ends a fill nor what makes its indexes again was run.
        patched.setattr(sql_indexes, "make", die)
        patched.setattr(sql, "filled", die)
        with pytest.raises(KeyboardInterrupt):
            project.rebuild()
    assert indexes() < there
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
