"""The line of jobs and their leases, on a real database; only the clock is set by the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest
from django.db import OperationalError

from lineage.db.models import Entry, Job, JobStep
from lineage.errors import ConflictError, FencedError, MalformedError, NotFoundError, UnavailableError
from lineage.services import append, beats, job_kinds, job_lease, jobs, observe
from lineage.services.clock import now_us
from lineage.services.job_fence import JobStep as Step
from lineage.services.job_kinds import JobKind
from lineage.services.job_lease import Lease, Result
from lineage.services.log_batch import Batch, Prepared

pytestmark = pytest.mark.usefixtures("log")

KEY = "sha256:" + "1" * 64
Run = Callable[[Lease], Result]


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Callable[..., JobKind]:
    """`kind(run)` is the only kind of jobs there is, named `work`."""

    def make(run: Run, **how: float) -> JobKind:
        settings: dict[str, object] = {"lease_seconds": 60.0, "max_attempts": 3, **how}
        made = JobKind("work", run, "short", **settings)  # type: ignore[arg-type]
        monkeypatch.setattr(job_kinds, "KINDS", (made,))
        return made

    return make


def nothing(lease: Lease) -> Result:
    return {}


def taken(made: JobKind, worker: str = "a") -> Lease:
    lease = job_lease.take(worker, ("short",), (made,), lambda: False)
    assert lease is not None
    return lease


def expire(job_id: int) -> None:
    assert Job.objects.filter(pk=job_id).update(lease_until_us=now_us() - 1)


def observation(outcome: str = "match") -> Prepared:
    row = {"digest": KEY, "location": "file:///x", "method": "sha256", "outcome": outcome}
    row |= {"observed": KEY, "at": "2026-01-01T00:00:00Z"}
    return observe.prepare("reverifier", "urn:lineage:predicate:check:v1", [KEY], {"rows": [row]})


def test_a_job_runs_once_and_keeps_its_result(kind: Callable[..., JobKind]) -> None:
    kind(lambda lease: {"key": lease.key, **lease.arguments})
    job_id = jobs.enqueue("work", "a", {"n": 1}, by="os:test")
    assert jobs.counts() == {"queued": 1, "running": 0, "done": 0, "failed": 0}
    assert (jobs.drain("w"), jobs.drain("w")) == (1, 0)
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.result, job.worker, job.attempts) == ("done", {"key": "a", "n": 1}, "w", 1)
    assert job.finished_us is not None


def test_asking_again_while_it_is_open_is_the_same_job(kind: Callable[..., JobKind]) -> None:
    kind(nothing)
    first = jobs.enqueue("work", "a")
    assert jobs.enqueue("work", "a") == first != jobs.enqueue("work", "b")
    jobs.drain("w")
    assert jobs.enqueue("work", "a") not in {first}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(MalformedError):
        jobs.enqueue("unheard-of")


def test_what_is_due_longest_comes_first_and_what_is_not_due_waits(kind: Callable[..., JobKind]) -> None:
    order: list[str] = []

    def note(lease: Lease) -> Result:
        order.append(lease.key)
        return {}

    kind(note)
    now = now_us()
    jobs.enqueue("work", "later", due=now - 10)
    jobs.enqueue("work", "first", due=now - 20)
    jobs.enqueue("work", "soon", due=now + 900_000_000)
    assert jobs.drain("w") == 2
    assert order == ["first", "later"]


def test_another_queue_is_left_alone(kind: Callable[..., JobKind]) -> None:
    kind(nothing)
    jobs.enqueue("work")
    assert jobs.drain("w", queues=("long",)) == 0


def test_a_lease_keeps_others_out_until_it_runs_out(kind: Callable[..., JobKind]) -> None:
    made = kind(nothing)
    job_id = jobs.enqueue("work")
    first = taken(made)
    assert job_lease.take("b", ("short",), (made,), lambda: False) is None
    expire(job_id)
    second = taken(made, "b")
    assert (second.token, second.attempt) == (first.token + 1, 2)
    assert "a stopped answering" in Job.objects.get(pk=job_id).error


def test_a_zombie_is_fenced_wherever_it_speaks(kind: Callable[..., JobKind]) -> None:
    made = kind(nothing)
    expire(jobs.enqueue("work"))
    zombie = taken(made)
    expire(zombie.job_id)
    heir = taken(made, "b")
    size = Entry.objects.count()
    for speak in (
        lambda: zombie.progress(1, 2),
        lambda: zombie.finish({}),
        lambda: zombie.fail("late", retry=True),
        zombie.give_back,
        lambda: zombie.append(observation(), "0"),
        lambda: zombie.append(observation(), "0", result={}),
    ):
        with pytest.raises(FencedError):
            speak()
    assert Entry.objects.count() == size
    heir.append(observation(), "0", result={"by": "heir"})
    job = Job.objects.get(pk=heir.job_id)
    assert (job.state, job.result, Entry.objects.count()) == ("done", {"by": "heir"}, size + 1)
    with pytest.raises(FencedError):  # the job is over, even for who had it
        heir.append(observation("inconclusive"), "1")


def test_a_step_is_appended_once_however_often_it_is_tried(kind: Callable[..., JobKind]) -> None:
    made = kind(nothing)
    jobs.enqueue("work")
    first = taken(made)
    appended = first.append(observation(), "0")
    expire(first.job_id)
    again = taken(made, "b")
    assert again.steps() == {"0": appended.index}
    known = again.append(observation("inconclusive"), "0", result={"n": 1})
    assert (known.index, known.created, appended.created) == (appended.index, False, True)
    assert list(JobStep.objects.values_list("step", "entry_index")) == [("0", appended.index)]
    assert Job.objects.get(pk=first.job_id).state == "done"


def test_a_fenced_statement_harms_no_other_in_its_batch(kind: Callable[..., JobKind]) -> None:
    made = kind(nothing)
    jobs.enqueue("work")
    lease = taken(made)
    good = msgspec.structs.replace(observation(), job=Step(lease.job_id, lease.token, "good"))
    late = msgspec.structs.replace(
        observation("inconclusive"), job=Step(lease.job_id, lease.token - 1, "late")
    )
    gone = msgspec.structs.replace(observation("inconclusive"), job=Step(10**9, 1, "gone"))
    plain = observation("mismatch")
    outcomes = append.append([late, good, gone, plain])
    assert [type(outcome).__name__ for outcome in outcomes] == [
        "FencedError", "Appended", "FencedError", "Appended"
    ]  # fmt: skip


def test_the_entry_and_the_result_are_one_transaction(
    kind: Callable[..., JobKind], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing fails after the job's row was written: neither entry nor step nor result are there."""
    made = kind(nothing)
    jobs.enqueue("work")
    lease, size = taken(made), Entry.objects.count()

    def failing(self: Batch) -> None:
        raise OperationalError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Batch, "write", failing)
        with pytest.raises(UnavailableError):
            lease.append(observation(), "0", result={})
    assert (Job.objects.get(pk=lease.job_id).state, JobStep.objects.count()) == ("running", 0)
    assert Entry.objects.count() == size
    lease.append(observation(), "0", result={})
    assert (Job.objects.get(pk=lease.job_id).state, Entry.objects.count()) == ("done", size + 1)


@pytest.mark.parametrize("error", [UnavailableError("away"), OSError("disk"), ZeroDivisionError("defect")])
def test_a_failure_is_tried_again_with_pauses_and_then_stays(
    error: Exception, kind: Callable[..., JobKind]
) -> None:
    def failing(lease: Lease) -> Result:
        raise error

    kind(failing)
    job_id = jobs.enqueue("work")
    for attempt in (1, 2):
        assert jobs.drain("w") == 1
        job = Job.objects.get(pk=job_id)
        assert (job.state, job.attempts) == ("queued", attempt)
        assert job.due_us > now_us()
        assert jobs.drain("w") == 0
        Job.objects.update(due_us=now_us())
    jobs.drain("w")
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.attempts) == ("failed", 3)
    assert type(error).__name__ in job.error


def test_pauses_grow_and_are_bounded() -> None:
    pauses = [job_lease.pause_seconds(attempt) for attempt in range(1, 12)]
    assert pauses[:3] == [5.0, 20.0, 80.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == job_lease.LONGEST_PAUSE_SECONDS


def test_what_is_wrong_with_the_request_is_not_tried_again(kind: Callable[..., JobKind]) -> None:
    def refusing(lease: Lease) -> Result:
        raise NotFoundError("no such node")

    kind(refusing)
    job_id = jobs.enqueue("work")
    jobs.drain("w")
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.attempts) == ("failed", 1)


def test_a_worker_that_keeps_dying_fails_the_job(kind: Callable[..., JobKind]) -> None:
    made = kind(nothing, max_attempts=2)
    job_id = jobs.enqueue("work")
    for worker in ("a", "b"):
        taken(made, worker)
        expire(job_id)
    assert job_lease.take("c", ("short",), (made,), lambda: False) is None
    job = Job.objects.get(pk=job_id)
    assert (job.state, "the last one" in job.error) == ("failed", True)


def test_an_operator_tries_a_failed_job_again(kind: Callable[..., JobKind]) -> None:
    made = kind(nothing)
    job_id = jobs.enqueue("work")
    taken(made).fail("broken", retry=False)
    jobs.retry(job_id)
    assert jobs.drain("w") == 1
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.error, job.attempts) == ("done", "", 1)
    with pytest.raises(ConflictError):
        jobs.retry(job_id)
    with pytest.raises(NotFoundError):
        jobs.retry(10**9)


def test_a_failed_job_stays_while_another_is_in_line(kind: Callable[..., JobKind]) -> None:
    made = kind(nothing)
    failed = jobs.enqueue("work")
    taken(made).fail("broken", retry=False)
    jobs.enqueue("work")
    with pytest.raises(ConflictError):
        jobs.retry(failed)
    assert Job.objects.get(pk=failed).state == "failed"


def test_a_worker_that_ends_gives_the_job_back_as_if_untouched(kind: Callable[..., JobKind]) -> None:
    stopping = False

    def work(lease: Lease) -> Result:
        nonlocal stopping
        stopping = True
        lease.progress(1, 2)
        raise AssertionError("progress must stop it")

    kind(work)
    job_id = jobs.enqueue("work")
    assert jobs.drain("w", stop=lambda: stopping) == 1
    job = Job.objects.get(pk=job_id)
    assert (job.state, job.attempts, job.error) == ("queued", 0, "")
    assert job.due_us <= now_us()


def test_progress_shows_and_renews(kind: Callable[..., JobKind]) -> None:
    made = kind(nothing)
    jobs.enqueue("work")
    lease = taken(made)
    Job.objects.update(lease_until_us=0)
    lease.progress(3, 9, "reading")
    job = Job.objects.get()
    assert (job.progress_done, job.progress_total, job.note) == (3, 9, "reading")
    assert job.lease_until_us > now_us()


def test_recurring_kinds_come_into_line_once_a_period(kind: Callable[..., JobKind]) -> None:
    kind(nothing, every_seconds=3600.0)
    assert (jobs.enqueue_recurring(), jobs.enqueue_recurring()) == (1, 0)
    jobs.drain("w")
    assert jobs.enqueue_recurring() == 0
    Job.objects.update(created_us=now_us() - 3601 * 1_000_000)
    assert jobs.enqueue_recurring() == 1


def test_a_kind_that_can_not_tell_what_is_due_keeps_no_other_from_coming_into_line() -> None:
    """And it is said of each that can't, once the others are in line."""

    def due(
        *keys: str, error: Exception | None = None
    ) -> Callable[[int], Iterator[tuple[str, dict[str, str]]]]:
        def told(_at_us: int) -> Iterator[tuple[str, dict[str, str]]]:
            yield from ((key, {}) for key in keys)
            if error is not None:
                raise error

        return told

    names = ("reverify", "notify", "sync", "witness")
    away, locked = UnavailableError("It is away."), OperationalError("database is locked")
    told = (due("a", error=away), due("b"), due(error=locked), due("c"))
    kinds = [JobKind(name, nothing, "short", due=each) for name, each in zip(names, told, strict=True)]
    with pytest.raises(UnavailableError) as caught:
        jobs.enqueue_recurring(kinds)
    assert caught.value.message == (
        "It can't be told what is due of reverify (UnavailableError: It is away.),"
        " sync (OperationalError: database is locked)."
    )
    assert caught.value.__cause__ is away
    in_line = set(Job.objects.values_list("kind", "key"))
    assert in_line == {("reverify", "a"), ("notify", "b"), ("witness", "c")}


def test_tidying_forgets_old_jobs_and_keeps_the_others() -> None:
    long_ago = now_us() - 40 * 86_400_000_000
    for state, finished in (("done", long_ago), ("failed", long_ago), ("done", now_us()), ("queued", None)):
        Job.objects.create(
            kind="reverify", key=f"{state}{finished}", queue="long", state=state, due_us=now_us() + 10**9,
            max_attempts=1, created_us=long_ago, finished_us=finished,
        )  # fmt: skip
    jobs.enqueue("tidy")
    assert jobs.drain("w", queues=("short",)) == 1
    assert Job.objects.get(kind="tidy").result == {
        "refusals_emptied": 0,
        "jobs_forgotten": 2,
        "looks_forgotten": 0,
    }
    assert Job.objects.filter(kind="reverify").count() == 2


def test_an_old_beat_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "_written", {})
    assert [(beat.name, beat.late) for beat in beats.condition()] == [
        ("graph", True), ("short", True), ("sync", True), ("long", True)
    ]  # fmt: skip
    jobs.beat("short")
    assert [name for name, _ in jobs.beats()] == ["short"]
    assert [beat.late for beat in beats.condition()] == [True, False, True, True]
    monkeypatch.setattr(beats, "now_us", lambda: now_us() + 31_000_000)
    assert all(beat.late for beat in beats.condition())
