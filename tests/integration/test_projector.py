"""From the log to the graph tables: in order, in batches of any size, again after any crash, once each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from lineage.config import current
from lineage.db.models import LogHead, Node, SkippedEntry, StatusInterval, Support
from lineage.graph import sql
from lineage.services import keyring, project, storages
from lineage.services.trust_cutoffs import cutoffs
from tests import factories
from tests.integration.projections import (
    TRAINING_RUN,
    RandomLog,
    dump,
    fresh_timelines,
    key_of,
    send,
    status_at,
    timelines,
)

pytestmark = pytest.mark.usefixtures("log", "storage_root")

Follow = Callable[[], int]


def follow(limit: int) -> None:
    while project.project_pending(limit):
        pass


def test_entry_0_makes_the_platforms_keys(graph: Follow) -> None:
    assert graph() == 1
    assert Node.objects.filter(kind="signer").count() == 4
    assert set(StatusInterval.objects.values_list("status", flat=True)) == {"verified"}


def test_nothing_pending_is_no_work(graph: Follow) -> None:
    graph()
    assert project.project_pending() == 0
    assert project.watermark() == LogHead.objects.get(pk=1).size


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_size_of_batches_makes_no_difference(seed: int) -> None:
    grown = RandomLog(seed)
    for _ in range(6):
        grown.grow(20)
        follow(1)
    one_by_one = dump()
    assert len({row[5] for row in one_by_one["statuses"]}) == 4, "the log reaches every status"
    for limit in (7, 500):
        project._reset(project._look().state)
        follow(limit)
        assert dump() == one_by_one
    seen: list[tuple[int, int]] = []
    size = LogHead.objects.get(pk=1).size
    assert project.rebuild(lambda done, total: seen.append((done, total))) == size
    assert dump() == one_by_one
    assert seen[-1] == (size, size)


@pytest.mark.parametrize("seed", [4, 9])
def test_statuses_are_what_the_rows_below_each_size_say(seed: int) -> None:
    """At each tree size: every node has one gapless timeline, the one that its rows up to there make."""
    RandomLog(seed).grow(120)
    follow(50)
    rows = dump()
    for size in range(1, project.watermark() + 1):
        believed = {f"key:{key_id}": index for key_id, index in cutoffs(keyring.as_of(size)).items()}
        assert timelines(rows, size) == fresh_timelines(rows, size, believed, project.rules()), size


def test_an_entry_that_changes_no_status_writes_none() -> None:
    who = factories.registered()
    subject = factories.artifact()
    send(who, factories.statement(subject))
    follow(500)
    before = dump()["statuses"]
    send(who, factories.statement(subject, predicate={"again": 1}))
    follow(500)
    assert dump()["statuses"] == before


def test_a_crash_inside_a_batch_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    RandomLog(5).grow(40)
    follow(10)
    expected = dump()
    project._reset(project._look().state)
    apply, calls = sql.apply, []

    def apply_and_die(cursor: Any, rows: sql.Rows) -> None:
        apply(cursor, rows)
        calls.append(rows)
        if len(calls) % 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(sql, "apply", apply_and_die)
    for _ in range(100):
        before = project.watermark()
        try:
            if not project.project_pending(10):
                break
        except KeyboardInterrupt:
            assert project.watermark() == before
    assert dump() == expected
    assert len(calls) > 6


def test_projectors_at_the_same_time_do_each_entry_once() -> None:
    RandomLog(6).grow(60)
    follow(5)
    expected = dump()
    project._reset(project._look().state)
    barrier = threading.Barrier(3)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            barrier.wait()
            follow(5)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert dump() == expected


def test_a_statement_that_cannot_be_digested_is_marked_and_skipped(graph: Follow) -> None:
    who = factories.registered()
    bad = send(who, factories.statement(predicate_type=TRAINING_RUN, predicate={"activity": 7}))
    good = factories.artifact()
    send(who, factories.statement(good))
    size = graph()
    assert [(row.index, bool(row.reason)) for row in SkippedEntry.objects.all()] == [(bad, True)]
    assert not Support.objects.filter(index=bad).exists()
    assert status_at(key_of(good["name"]), size) == ("verified", "")


def test_other_rules_rebuild_the_graph(
    graph: Follow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    who = factories.registered()
    model = factories.artifact(downloadLocation="file:///elsewhere/m.bin")
    send(who, factories.statement(model))
    assert status_at(key_of(model["name"]), graph()) == ("verified", "")
    moved = replace(current(), storage_roots=(Path("/elsewhere"),))
    monkeypatch.setattr(storages, "current", lambda: moved)
    size = graph()
    assert size == LogHead.objects.get(pk=1).size
    assert status_at(key_of(model["name"]), size) == ("unverified", "never-checked")
    assert "rebuilt" in caplog.text


def test_a_projector_that_a_rebuild_overtook_writes_nothing() -> None:
    RandomLog(7).grow(10)
    follow(5)
    state = project._look().state
    with connection.cursor() as cursor:
        assert not sql.advance(cursor, replace(state, generation=state.generation + 1), 0)
        assert not sql.advance(cursor, replace(state, projected=state.projected + 1), 0)
    assert project.watermark() == state.projected
