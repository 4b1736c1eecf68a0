"""The embedded worker's loop, on a real log; only time and the failing database are set by the test."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from django.db import OperationalError, connection

from lineage.db.models import Job, LogHead
from lineage.db.sqlite import graph_file
from lineage.errors import LogIntegrityError
from lineage.services import (
    follow,
    job_kinds,
    jobs,
    project,
    publish,
    standing,
    storage_records,
    write_ahead,
)
from lineage.services.bursts import Burst
from lineage.services.job_kinds import JobKind
from lineage.services.job_lease import Lease, Result
from lineage.services.storage_values import StorageValues
from tests import factories
from tests.integration.made_anew import made_by_others
from workers import embedded

pytestmark = pytest.mark.usefixtures("log")

PATIENCE_SECONDS = 60.0


def size() -> int:
    return LogHead.objects.values_list("size", flat=True).get(pk=1)


def in_another_connection(do: Callable[[], object]) -> None:
    """Another thread has another connection, as another process would."""

    def work() -> None:
        try:
            do()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def steps_until_rest(worker: embedded.Worker) -> int:
    for number in range(1, 100):
        if worker.step():
            return number
    raise AssertionError("the worker never rests")


def test_it_brings_the_graph_level_and_publishes_then_rests() -> None:
    for _ in range(3):
        factories.registered()
    steps_until_rest(embedded.Worker(checkpoint_seconds=0.0))
    assert project.watermark() == publish.published_size() == size() == 4


def test_what_the_graph_has_in_its_write_ahead_log_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite's lies in a file of ours")
    monkeypatch.setattr(embedded, "COPY_SECONDS", 0.0)
    factories.registered()
    worker = embedded.Worker(checkpoint_seconds=3600.0)
    steps_until_rest(worker)
    worker.step()
    assert worker.copy_at is None
    graph = (
        f"file:{connection.settings_dict['NAME']}{graph_file.SUFFIX}?immutable=1"  # without what is beside it
    )
    with closing(sqlite3.connect(graph, uri=True)) as raw:
        assert raw.execute("SELECT projected FROM graph_state").fetchone() == (size(),)


def test_without_news_it_neither_projects_nor_publishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOOK_SECONDS", 3600.0)
    worker = embedded.Worker(checkpoint_seconds=0.0)
    steps_until_rest(worker)
    for _ in range(3):
        worker.step()  # what is due after its own commits

    def unwanted() -> int:
        raise AssertionError("there was no news")

    monkeypatch.setattr(project, "project_pending", unwanted)
    monkeypatch.setattr(publish, "publish_once", unwanted)
    assert all(worker.step() for _ in range(5))


def test_it_notices_without_an_entry_that_the_graph_is_made_by_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A storage that is new, or what another process with other storages has made of it."""
    monkeypatch.setattr(embedded, "LOOK_SECONDS", 0.0)
    worker = embedded.Worker(checkpoint_seconds=0.0)
    steps_until_rest(worker)
    for change in (_storage, made_by_others):
        in_another_connection(change)
        assert standing.of(size()) is None
        worker.step()
        assert standing.of(size()) is not None


def _storage() -> None:
    storage_records.add("bucket", "s3", StorageValues(uri="s3://bucket"), by="tests")


@pytest.mark.parametrize(("at_once", "batches"), [(1, [1, 1, 0]), (10, [10])])
def test_a_stream_is_taken_up_in_batches_and_one_entry_at_once(
    at_once: int, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = embedded.Worker(checkpoint_seconds=3600.0)
    steps_until_rest(worker)
    made: list[int] = []
    pending = project.project_pending

    def noted(limit: int) -> int:
        made.append(pending(limit))
        return made[-1]

    monkeypatch.setattr(project, "project_pending", noted)
    monkeypatch.setattr(follow, "SQL_PAUSE_SECONDS", 3600.0)
    for _ in range(2):
        for _ in range(at_once):
            in_another_connection(factories.registered)
        for _ in range(2):
            worker.step()
    assert made[: len(batches)] == batches
    assert sum(made) == (2 if at_once == 1 else 10)


def test_it_takes_pieces_and_copies_each_until_it_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite's lies in a file of ours")
    worker = embedded.Worker(checkpoint_seconds=3600.0)
    steps_until_rest(worker)
    worker.copy_at = None
    made: list[tuple[int, int]] = []
    copied: list[int] = []
    pending = project.project_pending

    def noted(limit: int) -> int:
        made.append((limit, pending(limit)))
        return made[-1][1]

    monkeypatch.setattr(project, "project_pending", noted)
    monkeypatch.setattr(write_ahead, "copy", lambda file: copied.append(len(made)))
    monkeypatch.setattr(embedded, "BATCH", 4)
    monkeypatch.setattr(embedded, "PIECE", 2)
    monkeypatch.setattr(embedded, "COPY_SECONDS", 3600.0)
    for _ in range(9):
        in_another_connection(factories.registered)
    steps_until_rest(worker)
    # Two pieces are a batch, so more may wait; one batch later no more than some do.
    assert made == [(2, 2), (2, 2), (4, 4), (4, 1), (2, 0)]
    assert copied[:2] == [1, 2]
    assert worker.in_a_row == 0


def test_it_lets_a_burst_pass_once_it_is_behind_and_publishes_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    class Passing(Burst):
        def rest(self, size: int) -> float:
            asked.append(size)
            return 3600.0 if len(asked) == 1 else 0.0

    worker = embedded.Worker(checkpoint_seconds=0.0, burst=Passing())
    steps_until_rest(worker)
    begun = size()
    monkeypatch.setattr(embedded, "BATCH", 2)
    monkeypatch.setattr(embedded, "PIECE", 2)
    for _ in range(5):
        in_another_connection(factories.registered)
    for _ in range(10):
        if not asked:
            worker.step()
    assert all(worker.step() for _ in range(3))
    assert asked == [begun + 5]
    assert project.watermark() == begun + 2
    assert publish.published_size() == begun + 5
    worker.project_at = 0.0
    steps_until_rest(worker)
    assert project.watermark() == size() == begun + 5


def test_news_of_another_connection_wakes_it() -> None:
    worker = embedded.Worker(checkpoint_seconds=0.0)
    steps_until_rest(worker)
    in_another_connection(factories.registered)
    assert not worker.step()
    for _ in range(5):
        worker.step()
    assert project.watermark() == publish.published_size() == size() == 2


def test_checkpoints_wait_for_their_time_and_projection_does_not() -> None:
    worker = embedded.Worker(checkpoint_seconds=3600.0)
    steps_until_rest(worker)
    first = publish.published_size()
    in_another_connection(factories.registered)
    for _ in range(5):
        worker.step()
    assert (project.watermark(), publish.published_size()) == (size(), first)


@pytest.mark.parametrize(
    "error", [OperationalError("disk I/O error"), LogIntegrityError("a hole"), OSError("full")]
)
def test_an_error_is_said_and_the_work_goes_on(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(embedded, "FIRST_PAUSE_SECONDS", 0.01)
    really, failures = project.project_pending, [error, error]

    def failing(limit: int) -> int:
        if failures and threading.current_thread() is threading.main_thread():  # jobs may follow the log, too
            raise failures.pop()
        return really(limit)

    monkeypatch.setattr(project, "project_pending", failing)
    deadline = time.monotonic() + PATIENCE_SECONDS
    with caplog.at_level(logging.ERROR):
        embedded.run(lambda: (not failures and project.watermark() == size()) or time.monotonic() > deadline)
    assert project.watermark() == size()
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert all(str(error) in line and "tries again" in line for line in said)
    assert "0.02 s" in said[1]  # each time it waits longer


@pytest.mark.parametrize("error", [LogIntegrityError("entry 3 is missing"), OperationalError("disk full")])
def test_checkpoints_go_on_where_the_graph_can_t(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Its file may be damaged or full, or the log: who sent something gets a proof all the same."""
    worker = embedded.Worker(checkpoint_seconds=0.0)
    steps_until_rest(worker)

    def failing(limit: int = 0) -> int:
        raise error

    monkeypatch.setattr(project, "project_pending", failing)
    for _ in range(2):
        in_another_connection(factories.registered)
        for _ in range(3):
            worker.level = False  # as it is each second
            with pytest.raises(type(error)):
                worker.step()
        assert publish.published_size() == size()


def test_what_nobody_foresaw_ends_it_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent says so and starts it again; going on silently would hide a defect."""

    def broken(limit: int) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(project, "project_pending", broken)
    with pytest.raises(ZeroDivisionError):
        embedded.run(lambda: False)


def test_it_stops_when_asked() -> None:
    asked = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 3

    embedded.run(stop)
    assert len(asked) == 4


def test_jobs_are_worked_off_beside_and_a_long_one_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    going, deadline = threading.Event(), time.monotonic() + PATIENCE_SECONDS

    def hold(lease: Lease) -> Result:
        """Works until it is told to stop."""
        while True:
            going.set()
            lease.progress(1, 2)
            time.sleep(0.01)

    monkeypatch.setattr(
        job_kinds, "KINDS", (JobKind("hold", hold, "long"), JobKind("quick", lambda lease: {}, "short"))
    )
    held = jobs.enqueue("hold")
    quick: list[int] = []

    def over() -> bool:
        if going.is_set() and not quick:
            in_another_connection(factories.registered)
            quick.append(jobs.enqueue("quick"))
        done = bool(quick) and Job.objects.get(pk=quick[0]).state == "done" and project.watermark() == size()
        return done or time.monotonic() > deadline

    embedded.run(over)
    assert project.watermark() == size() == 2
    assert Job.objects.get(pk=quick[0]).state == "done"
    # The worker's end gave the long one back.
    assert (Job.objects.get(pk=held).state, Job.objects.get(pk=held).attempts) == ("queued", 0)


def test_a_defect_beside_ends_it_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(jobs, "drain", broken)
    deadline = time.monotonic() + PATIENCE_SECONDS
    with pytest.raises(ZeroDivisionError):
        embedded.run(lambda: time.monotonic() > deadline)
