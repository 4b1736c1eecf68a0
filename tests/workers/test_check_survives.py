"""What a sweep survives: others at work on the same copies, what fails in its middle, kills."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from lineage.db.models import Check, Entry, Job, JobStep, Storage, StorageState, StorageSweep
from lineage.graph.check_policy import CheckPolicy, Limits, Schedule
from lineage.predicates import inventory
from lineage.services import check_sweep, decide_checks, job_kinds, job_lease, jobs, reverify, storages
from lineage.services import copies as due_copies
from lineage.services.check_looks import Look, Looker
from lineage.services.clock import now_us
from lineage.services.copies import Copy
from tests import factories
from tests.integration.projections import send
from tests.workers.copies import Copies, copies_in, digest_of
from tests.workers.crew import NEW_FILE, Crew, until

WHO = "officer@example.com"


@pytest.fixture
def copies(tmp_path: Path, graph: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Copies:
    return copies_in(tmp_path / "storage", graph, monkeypatch)


def several(copies: Copies, count: int) -> list[str]:
    keys = []
    for number in range(count):
        path = copies.root / f"m{number}"
        path.write_bytes(str(number).encode())
        keys.append(copies.state(path))
    return keys


def counted(match: int = 0, mismatch: int = 0, inconclusive: int = 0) -> dict[str, int]:
    total = match + mismatch + inconclusive
    return {"checked": total, "match": match, "mismatch": mismatch, "inconclusive": inconclusive}


def swept() -> list[int]:
    """How many rows each sweep's statement has, in log order."""
    indexes = JobStep.objects.exclude(step__startswith=reverify.INVENTORY).values_list(
        "entry_index", flat=True
    )
    return [Check.objects.filter(index=index).count() for index in sorted(indexes)]


def test_a_thousand_copies_are_statements_of_up_to_a_thousand_rows(copies: Copies) -> None:
    path = copies.root / "m"
    path.write_bytes(b"weights")
    subjects = []
    digest = digest_of(path)
    for number in range(1_040):
        (copies.root / f"{number}").symlink_to(path)
        location = (copies.root / f"{number}").as_uri()
        subjects.append({"name": "m", "digest": digest, "downloadLocation": location})
    for start in range(0, len(subjects), 500):
        send(copies.who, factories.statement(*subjects[start : start + 500]))
    copies.follow()
    assert copies.run(reverify.ALL) == counted(match=1_040)
    assert sorted(swept()) == [40, 1_000]
    assert StorageSweep.objects.count() == 2


def test_a_storage_whose_credential_can_not_be_read_keeps_no_other_from_being_checked(copies: Copies) -> None:
    """It comes first by its name, and is one alarm."""
    Storage.objects.create(
        name="a-broken", kind="s3", uri="s3://bucket", secret_box="none", created_us=1, created_by=WHO
    )
    keys = several(copies, 2)
    copies.state(copies.root / "README", location="s3://bucket/README")
    result = copies.run(reverify.DUE)
    assert {name: result[name] for name in counted()} == counted(match=2)
    assert list(result["gone"]) == ["a-broken"]
    assert StorageState.objects.get(storage="a-broken").gone_us > 0
    assert copies.status(keys[0]) == ("verified", "")


def test_a_defect_that_one_file_shows_is_told_of_that_file(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = several(copies, 3)
    really = Looker.look

    def look(looker: Looker, copy: Copy) -> Look:
        if copy.location.endswith("m1"):
            raise ZeroDivisionError("division by zero")
        return really(looker, copy)

    monkeypatch.setattr(Looker, "look", look)
    assert copies.run(reverify.ALL) == counted(match=2, inconclusive=1)
    assert "a defect of ours: ZeroDivisionError" in Check.objects.get(outcome="inconclusive").reason
    assert copies.status(keys[1]) == ("unverified", "inconclusive")


def test_a_storage_that_goes_in_the_middle_of_a_sweep(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found before is in the log; of the rest nothing is said, and there is one alarm."""
    several(copies, 6)
    monkeypatch.setattr(check_sweep, "MAX_WORKERS", 1)
    really = Looker.look
    away = copies.root.with_name("away")
    looked: list[str] = []

    def look(looker: Looker, copy: Copy) -> Look:
        found = really(looker, copy)
        if len(looked) == 2:
            copies.root.rename(away)
        looked.append(copy.location)
        return found

    monkeypatch.setattr(Looker, "look", look)
    result = copies.run(reverify.ALL)
    assert {name: result[name] for name in counted()} == counted(match=3)
    assert list(result["gone"].values()) == [f"{copies.root} is not there: No such file or directory."]
    assert (StorageState.objects.get().failures, Check.objects.count()) == (1, 3)
    away.rename(copies.root)
    assert copies.run(reverify.DUE) == counted(match=3)
    assert StorageState.objects.get().gone_us == 0


def test_what_was_found_is_said_before_all_is_read(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference does not wait for the terabytes beside it."""
    several(copies, 4)
    monkeypatch.setattr(check_sweep, "SWEEP_SECONDS", 0.0)
    monkeypatch.setattr(check_sweep, "MAX_WORKERS", 1)
    assert copies.run(reverify.ALL) == counted(match=4)
    assert swept() == [1, 1, 1, 1]


def test_a_job_of_the_schedule_has_a_turn(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody waits for a copy to be verified now, behind a storage that takes days."""
    several(copies, 3)
    monkeypatch.setattr(reverify, "TURN_SECONDS", -1.0)
    (place,) = storages.listed()
    key = reverify.STORAGE + place.name
    assert copies.run(key) == {**counted(), "left": 3}
    assert [key for key, _ in reverify.due(now_us())] == [key]  # the rest is put in line again


def test_a_worker_that_is_to_end_waits_for_no_large_file(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for one that is read slowly on purpose: at this rate it would take ten minutes."""
    path = copies.root / "large"
    path.write_bytes(bytes(40 << 20))
    key = copies.state(path)
    rate = Limits(copies.root.as_uri(), bytes_per_second=65_536)
    decide_checks.set_check_policy(CheckPolicy(limits=(rate,)), person=WHO)
    copies.follow()
    job_id = jobs.enqueue("reverify", key)
    kind = job_kinds.by_name("reverify")
    begun = threading.Event()
    really = check_sweep._Pace.read

    def read(pace: check_sweep._Pace, count: int) -> None:
        begun.set()
        really(pace, count)

    monkeypatch.setattr(check_sweep._Pace, "read", read)
    lease = job_lease.take("tests", (kind.queue,), (kind,), begun.is_set)
    assert lease is not None
    with pytest.raises(job_lease.StoppedError):
        kind.run(lease)
    assert (lease.job_id, Check.objects.count(), swept()) == (job_id, 0, [])


def test_policies_are_decided_while_a_sweep_runs(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found counts, and is due again by the policy that came meanwhile."""
    (key,) = several(copies, 1)
    really = Looker.look

    def look(looker: Looker, copy: Copy) -> Look:
        found = really(looker, copy)
        thread = threading.Thread(target=decided)
        thread.start()
        thread.join()
        return found

    def decided() -> None:
        from django.db import connection

        decide_checks.set_check_policy(CheckPolicy(Schedule(full=3600)), person=WHO)
        connection.close()

    monkeypatch.setattr(Looker, "look", look)
    assert copies.run(key) == counted(match=1)
    check = Check.objects.get()
    assert copies.status(key) == ("verified", "")
    assert copies.status(key, check.at_us + 3600 * 1_000_000) == ("expired", "check-overdue")
    (place,) = storages.listed()
    assert due_copies.due(place.name, limit=9, at_us=check.at_us + 3600 * 1_000_000)


def test_two_jobs_about_one_copy(copies: Copies) -> None:
    """Each says what it found, and both count once."""
    (key,) = several(copies, 1)
    (place,) = storages.listed()
    first, second = jobs.enqueue("reverify", key), jobs.enqueue("reverify", reverify.STORAGE + place.name)
    kind = job_kinds.by_name("reverify")
    leases = [job_lease.take(name, (kind.queue,), (kind,), lambda: False) for name in ("one", "two")]
    assert {lease.job_id for lease in leases if lease} == {first, second}
    for lease in leases:
        assert lease is not None
        kind.run(lease)
    copies.follow()
    assert set(Job.objects.values_list("state", flat=True)) == {"done"}
    assert swept() == [1, 1]
    assert copies.status(key) == ("verified", "")
    # What the bytes consist of is known once: the second found it there, or said the same.
    assert Entry.objects.filter(kind="observation").count() <= 4


def test_a_second_attempt_keeps_what_the_first_has_said_of_a_part(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    several(copies, 5)
    monkeypatch.setattr(check_sweep, "SWEEP_SECONDS", 0.0)
    monkeypatch.setattr(check_sweep, "MAX_WORKERS", 1)
    job_id = jobs.enqueue("reverify", reverify.ALL)
    kind = job_kinds.by_name("reverify")
    lease = job_lease.take("first", (kind.queue,), (kind,), lambda: len(swept_steps()) == 2)
    assert lease is not None
    with pytest.raises(job_lease.StoppedError):
        kind.run(lease)
    Job.objects.update(lease_until_us=now_us() - 1)
    monkeypatch.setattr(check_sweep, "SWEEP_SECONDS", 300.0)
    jobs.drain("second")
    copies.follow()
    assert Job.objects.get(pk=job_id).result == counted(match=5)
    assert swept() == [1, 1, 3]


def swept_steps() -> list[str]:
    return list(JobStep.objects.exclude(step__startswith=reverify.INVENTORY).values_list("step", flat=True))


def test_a_statement_fits_whatever_is_wrong_with_all_of_it(
    copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name may be an order to a terminal, and most of it take six bytes in JSON."""
    path = copies.root / ("\x1b[2J" + "\x01" * 200)
    path.write_bytes(b"x")
    key = copies.state(path)
    path.unlink()
    assert copies.verify(key) == "inconclusive"
    assert copies.reason().isprintable()
    assert "\\u001b[2J" in copies.reason()


def test_killed_between_what_the_bytes_are_and_what_was_found(crew: Crew) -> None:
    """`kill -9`: the inventory is in the log, the sweep is not. The next worker says the sweep alone."""
    crew.beat()
    worker = crew.worker("first")
    before = crew.said(inventory.URI)
    locked, done = threading.Event(), threading.Event()

    def lock_next() -> None:
        """Queue behind the worker's first append: what it appends next waits for this thread."""
        with psycopg.connect(crew.database) as connection:
            connection.execute("LOCK TABLE log_head IN ACCESS EXCLUSIVE MODE")
            locked.set()
            done.wait()
            connection.rollback()

    thread = threading.Thread(target=lock_next)
    with crew.holding("LOCK TABLE log_entry IN SHARE ROW EXCLUSIVE MODE"):
        (job_id,) = crew.enqueue(NEW_FILE)
        crew.await_waiting()
        thread.start()
        queued = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
        until("the test is next", lambda: crew.one(queued) > 0)
    try:
        assert locked.wait(60)
        crew.await_waiting()
        worker.kill()
    finally:
        done.set()
        thread.join()
    crew.await_through()
    assert (crew.job(job_id)["state"], crew.said(inventory.URI), crew.checks()) == ("running", before + 1, 0)
    crew.worker("second")
    assert crew.await_state(job_id, "done")["result"] == counted(match=1)
    crew.whole()
    assert (crew.said(inventory.URI), crew.checks()) == (before + 1, 1)
    assert crew.rows("SELECT entry_index FROM storage_sweep") == crew.rows("SELECT entry_index FROM job_step")
