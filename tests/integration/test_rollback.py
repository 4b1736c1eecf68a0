"""A database that is put back beneath a process, and what waits meanwhile: jobs, the gate, the worker."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from lineage.cli.main import run
from lineage.db.models import Checkpoint, Job, LogHead
from lineage.errors import LineageError, LogIntegrityError, RollbackError
from lineage.services import (
    beforehand,
    gate,
    head_memory,
    high_water,
    high_water_file,
    intake,
    job_kinds,
    jobs,
    log_audit,
    new_epoch,
    observe,
    publish,
    sources,
)
from lineage.services.job_kinds import JobKind
from lineage.services.job_lease import Lease, Result
from lineage.services.source_values import SourceValues
from tests import factories
from tests.integration import rolled_back
from tests.integration.projections import key_of, send
from workers.embedded import Worker

pytestmark = pytest.mark.usefixtures("log")


def add(count: int = 1) -> None:
    signer = factories.registered()
    for each in intake.submit_set([signer.envelope(factories.statement()) for _ in range(count)], token="t"):
        if isinstance(each, LineageError):
            raise each


def grown(count: int = 1) -> Checkpoint:
    add(count)
    made = publish.publish_once()
    assert made is not None
    return made


@pytest.fixture
def beneath(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`beneath(size)`: an older state is put back, and this process goes on with what it remembers."""

    def put_back(size: int) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(high_water, "forget", lambda: None)
            rolled_back.roll_back(size)

    return put_back


def test_a_process_that_has_seen_more_takes_nothing_until_it_is_started_again(
    beneath: Callable[[int], None],
) -> None:
    kept = grown(2)
    add(3)  # under no checkpoint yet, so no file knows of them
    seen = LogHead.objects.get(pk=1).size
    beneath(kept.size)
    words = f"has seen {seen} entries, and the database now holds {kept.size}"
    with pytest.raises(RollbackError, match=words):
        add()
    with pytest.raises(RollbackError, match=words):
        high_water.refuse(now=True)
    assert words in high_water.warning()
    with pytest.raises(RollbackError):
        add()
    assert LogHead.objects.get(pk=1).size == kept.size
    high_water.forget()  # another process, which has seen no more than is there
    add()


def test_it_is_noticed_under_the_lock_at_once(
    beneath: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(high_water, "LOOK_SECONDS", 30.0)
    kept = grown(2)
    add(2)
    assert high_water.rolled_back() is None  # and for a while it does not look again
    beneath(kept.size)
    assert high_water.rolled_back() is None
    with pytest.raises(RollbackError, match="put back beneath the running server"):
        add()
    assert LogHead.objects.get(pk=1).size == kept.size


def test_it_is_looked_at_before_somebody_has_to(
    beneath: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(high_water, "LOOK_SECONDS", 600.0)
    kept = grown(2)
    add(2)
    assert high_water.rolled_back() is None
    looked = high_water._good_until[0]
    assert beforehand.look_all() == ""
    assert high_water._good_until[0] > looked, "it is good for longer"
    beneath(kept.size)
    assert high_water.rolled_back() is None, "by the last look"
    beforehand.look_all()
    assert high_water.rolled_back() is not None
    assert high_water.rolled_back() is not None, "what is wrong is looked at each time"


def test_what_is_wrong_with_the_file_beforehand_is_told_to_who_asks(
    log: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(high_water, "LOOK_SECONDS", 600.0)
    grown(2)
    assert high_water.rolled_back() is None
    high_water_file.path().write_bytes(b"cut off")
    assert high_water.rolled_back() is None, "by the last look"
    assert "cut off or altered" in beforehand.look_all()
    with pytest.raises(LogIntegrityError, match="cut off or altered"):
        high_water.rolled_back()


def test_nothing_is_looked_at_where_nobody_asks(
    log: None, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    assert high_water.rolled_back() is None
    monkeypatch.setattr(high_water, "ASKED_SECONDS", 0.0)
    with django_assert_num_queries(0):
        high_water.renew()
    monkeypatch.setattr(high_water, "ASKED_SECONDS", 600.0)
    with django_assert_num_queries(1):
        high_water.renew()


def test_what_was_seen_goes_for_publishing_too(beneath: Callable[[int], None]) -> None:
    kept = grown(2)
    add(3)
    beneath(kept.size + 2)
    assert publish.published_size() < LogHead.objects.get(pk=1).size
    with pytest.raises(RollbackError, match="put back beneath the running server"):
        publish.publish_once()
    assert publish.published_size() == kept.size


def test_a_process_of_the_lost_epoch_does_not_go_on_in_the_new_one(beneath: Callable[[int], None]) -> None:
    """It was idle while another decided, and the log has grown beyond all that it had seen."""
    kept = grown(1)
    grown(2)
    seen = head_memory._memory
    rolled_back.roll_back(kept.size)
    new_epoch.begin("the disk was swapped", person=factories.PERSON)
    grown(5)
    head_memory._memory = seen
    with pytest.raises(RollbackError, match="this process remembers"):
        high_water.refuse(now=True)
    with pytest.raises(RollbackError):
        add()
    high_water.forget()
    add()


def test_it_is_told_first_and_with_it_that_the_server_has_to_be_started_again(
    beneath: Callable[[int], None],
) -> None:
    """The high-water file says the same of the database, but what it asks for is not enough here."""
    kept = grown(2)
    lost = grown(3)
    beneath(kept.size)
    with pytest.raises(RollbackError, match="put back beneath the running server") as refused:
        high_water.refuse(now=True)
    assert refused.value.hint == head_memory.HINT
    assert refused.value.extra["published_size"] == lost.size
    assert head_memory.HINT in high_water.warning()


def test_an_older_epoch_beneath_a_process_is_noticed_however_long_it_was(
    beneath: Callable[[int], None],
) -> None:
    kept = grown(1)
    grown(2)
    rolled_back.roll_back(kept.size)
    new_epoch.begin("the disk was swapped", person=factories.PERSON)
    assert high_water.rolled_back() is None
    beneath(kept.size)
    head_memory._memory.size = kept.size  # as if the older one had as many entries as this one
    with pytest.raises(RollbackError, match="holds epoch 1, and this server has seen epoch 2"):
        high_water.refuse(now=True)


def test_another_log_in_the_database_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    add()
    monkeypatch.setattr(head_memory._memory, "origin", "example.com/another")
    with pytest.raises(RollbackError, match=r"held the log example\.com/another, and now holds"):
        add()


def test_another_file_beneath_sqlite_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("it has no file of ours")
    add()
    device, inode = head_memory._memory.file or (0, 0)
    assert inode
    monkeypatch.setattr(head_memory._memory, "file", (device, inode + 1))
    with pytest.raises(RollbackError, match="file was exchanged beneath the running server"):
        add()


def test_a_decision_heals_what_the_file_says() -> None:
    kept = grown(1)
    lost = grown(2)
    rolled_back.roll_back(kept.size)
    found = high_water.rolled_back()
    assert found is not None
    assert found.high_water is not None
    assert (found.high_water.size, found.size) == (lost.size, kept.size)
    new_epoch.begin("the disk was swapped", person=factories.PERSON)
    assert high_water.rolled_back() is None
    made = grown(1)
    water = high_water.read()
    assert water is not None
    assert (water.size, water.root.hex()) == (made.size, made.root_hash)
    assert water.from_size == kept.size, "it is the same file that goes on"


def test_the_audit_compares_the_log_with_the_file() -> None:
    kept = grown(1)
    lost = grown(2)
    assert log_audit.audit().wrong == ""
    rolled_back.roll_back(kept.size)
    assert f"{lost.size} entries were published" in log_audit.audit().wrong
    high_water_file.path().unlink()
    assert log_audit.audit().wrong == "", "without the file it agrees with itself"


def test_jobs_wait_and_lose_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(lease: Lease) -> Result:
        made = observe.statement_of(
            "collector", "urn:example:seen:v1", [factories.artifact()], {"a": lease.job_id}
        )
        return {"index": lease.append(made, "one").index}

    kept = grown(1)
    grown(1)
    rolled_back.roll_back(kept.size)
    monkeypatch.setattr(job_kinds, "KINDS", (JobKind("work", run, "short", max_attempts=2),))
    number = jobs.enqueue("work")
    for _ in range(4):
        assert jobs.drain("w", queues=("short",)) == 1
        job = Job.objects.get(pk=number)
        assert (job.state, job.attempts) == ("queued", 0)
        assert "an older state of it was put back" in job.error
        assert jobs.drain("w", queues=("short",)) == 0, "it is not asked again and again"
        Job.objects.update(due_us=0)
    new_epoch.begin("the disk was swapped", person=factories.PERSON)
    assert jobs.drain("w", queues=("short",)) == 1
    job = Job.objects.get(pk=number)
    assert (job.state, job.error, (job.result or {})["index"]) == ("done", "", kept.size + 1)


def test_the_gate_is_not_open_on_what_a_rolled_back_log_says(graph: Callable[[], int]) -> None:
    made = factories.artifact()
    send(factories.registered(), factories.statement(made))
    publish.publish_once()
    graph()
    key = key_of(made["name"])
    assert gate.judge(key, accept_unchecked=True).verdict == "open"
    water = high_water_file.path().read_bytes()
    high_water_file.path().write_bytes(water[:-10])
    high_water.forget()
    answer = gate.judge(key, accept_unchecked=True)
    assert (answer.verdict, [each.slug for each in answer.reasons]) == ("inconclusive", ["rolled-back"])
    high_water_file.path().write_bytes(water)
    assert gate.judge(key, accept_unchecked=True).verdict == "open"


def test_the_graph_goes_on_to_follow_a_log_that_may_publish_nothing() -> None:
    kept = grown(2)
    grown(2)
    rolled_back.roll_back(kept.size, published=kept.size - 1)
    worker = Worker(0.0)
    for _ in range(20):
        worker.step()
    from lineage.services import project

    assert project.watermark() == kept.size
    assert publish.published_size() < kept.size


@pytest.mark.parametrize("command", [("reverify", "--all"), ("sync",)], ids=lambda command: command[0])
def test_a_command_says_so_and_does_not_wait_for_its_jobs(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    sources.add("lab", SourceValues(url="http://127.0.0.1:9"), by="os:test")
    grown(3)
    rolled_back.roll_back(1)
    assert run(command) == 1
    assert "new-epoch" in capsys.readouterr().err
    assert not Job.objects.filter(kind__in=("reverify", "sync")).exists()
