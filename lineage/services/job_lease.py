"""The lease of a job: taking it, keeping it, giving it back, and what came of it.

Owns: every change of a job's row while somebody works on it, each under the fencing token. Does not own: in
which order jobs are worked off (`jobs`), or the entry that a job appends (`job_fence`, under the head lock).

A worker that dies says nothing: its lease runs out, and the next one takes the job with a new token. Whoever
wakes up after that is fenced: its next word about the job raises FencedError and writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from django.db import transaction
from django.db.models import Q, QuerySet

from lineage.db.models import Job, JobStep
from lineage.errors import FencedError
from lineage.graph.sql_query import fetch, one_of
from lineage.services import append, beats, job_fence
from lineage.services.clock import now_us
from lineage.services.job_fence import Beside
from lineage.services.log_batch import Appended, Prepared

if TYPE_CHECKING:
    from lineage.services.job_kinds import JobKind

Stop = Callable[[], bool]
Result = dict[str, object]

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 900.0
POSTPONED_SECONDS = 60.0
"""Before a job is tried again that can't be done before somebody has decided something."""
FURTHEST_SECONDS = 2 * LONGEST_PAUSE_SECONDS
"""No job is put off for so long: one that is due later was, by a clock that was ahead. Twice as long as any
pause: two machines' clocks differ a little."""
RENEW_SECONDS = 1.0
"""Between two writes of progress: what a page shows moves, and the database has little to do with it."""
MAX_TEXT = 2000


class StoppedError(Exception):
    """The worker is to end: the job goes back as if it had not been taken. Never leaves `jobs.drain`."""


@dataclass(slots=True)
class Lease:
    """One attempt at a job by one worker.

    `key` and `arguments` say what it is about; `token` is this attempt's fencing token; `finished` says that
    the result has been written with the last append.
    """

    job_id: int
    kind: JobKind
    key: str
    arguments: Mapping[str, Any]
    token: int
    attempt: int
    max_attempts: int
    worker: str
    stop: Stop
    finished: bool = False
    _renew_at: float = field(default=0.0, repr=False)

    def progress(self, done: int, total: int, note: str = "") -> None:
        """Say how far it is, in the kind's own unit (`total` 0: not known), and renew the lease.

        To be called several times a lease; most calls write nothing.

        Raises: FencedError where the lease is lost; StoppedError where the worker is to end.
        """
        if self.stop():
            raise StoppedError
        now = time.monotonic()
        if now < self._renew_at:
            return
        self._renew_at = now + min(RENEW_SECONDS, self.kind.lease_seconds / 4)
        self._write(
            progress_done=done, progress_total=total, note=note[:MAX_TEXT], lease_until_us=_until(self.kind)
        )
        beats.beat(self.kind.queue)

    def append(
        self, prepared: Prepared, step: str, *, result: Result | None = None, beside: Beside | None = None
    ) -> Appended:
        """Append as step `step` of this job: once, however many attempts come this far.

        With `result` the job is done in the same transaction, in which `beside` is called too. A step that is
        there already answers its entry, `created` False.

        Raises: FencedError where the lease is lost; what `append.append` raises.
        """
        named = job_fence.JobStep(self.job_id, self.token, step, result, beside)
        appended = append.raise_first(append.append([msgspec.structs.replace(prepared, job=named)]))
        self.finished = result is not None
        return appended

    def append_all(self, prepared: Sequence[Prepared]) -> list[Appended]:
        """Append in one set, under the lease, without making them steps: for what is known by the log itself.

        Raises: FencedError where the lease is lost, and nothing was written; what `append.append` raises.
        """
        fenced = job_fence.JobStep(self.job_id, self.token, "")
        outcomes = append.append([msgspec.structs.replace(each, job=fenced) for each in prepared])
        return [append.raise_first([outcome]) for outcome in outcomes]

    def steps(self) -> dict[str, int]:
        """The steps that earlier attempts have appended, and the indexes of their entries."""
        return dict(JobStep.objects.filter(job_id=self.job_id).values_list("step", "entry_index"))

    def finish(self, result: Result) -> None:
        """Raises: FencedError where the lease is lost."""
        self._write(state=Job.State.DONE, result=result, error="", finished_us=now_us())
        self.finished = True

    def fail(self, reason: str, *, retry: bool) -> None:
        """This attempt failed; the job is tried again after a pause, or has failed.

        Raises: FencedError where the lease is lost.
        """
        reason = reason[:MAX_TEXT]
        if retry and self.attempt < self.max_attempts:
            due = now_us() + round(pause_seconds(self.attempt) * 1e6)
            self._write(state=Job.State.QUEUED, error=reason, due_us=due)
        else:
            self._write(state=Job.State.FAILED, error=reason, finished_us=now_us())

    def postpone(self, reason: str) -> None:
        """Not this job's fault: it is tried again after a while, and this attempt does not count.

        Raises: FencedError where the lease is lost.
        """
        due = now_us() + round(POSTPONED_SECONDS * 1e6)
        self._write(state=Job.State.QUEUED, attempts=self.attempt - 1, error=reason[:MAX_TEXT], due_us=due)

    def give_back(self) -> None:
        """As if it had not been taken: another worker may have it at once.

        Raises: FencedError where the lease is lost.
        """
        self._write(state=Job.State.QUEUED, attempts=self.attempt - 1, note="")

    def _write(self, **values: object) -> None:
        mine = Job.objects.filter(pk=self.job_id, token=self.token, state=Job.State.RUNNING)
        if not mine.update(**values):
            raise FencedError(f"Job {self.job_id} ({self.kind.name}) is not {self.worker}'s any more.")


def pause_seconds(attempt: int) -> float:
    """How long to wait after the failure of attempt `attempt` (from 1): 5 s, then four times longer."""
    return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 4.0 ** (attempt - 1))


def take(worker: str, queues: Sequence[str], kinds: Sequence[JobKind], stop: Stop) -> Lease | None:
    """The job that has been due longest, leased; None where there is none.

    A job whose worker stopped answering is taken over, or has failed where that was its last attempt. A lease
    that a clock gave which was ahead, and was set back since, would last as long as it was ahead: it is given
    anew from now on, so that a living worker keeps it and a dead one's ends. What such a clock put off is due
    now.
    """
    by_name = {kind.name: kind for kind in kinds}
    while _some_open(queues) and _due(queues, by_name).exists():  # looking takes no lock
        with transaction.atomic(durable=True):
            # SQLite has no row locks, and this transaction the whole database's.
            due = _due(queues, by_name).select_for_update(skip_locked=True)
            job = due.order_by("due_us", "id").first()
            if job is None:
                return None
            if job.state == Job.State.RUNNING and job.lease_until_us > now_us():
                job.lease_until_us = _until(by_name[job.kind])
                job.save(update_fields=["lease_until_us"])
                continue
            if job.state == Job.State.RUNNING and job.attempts >= job.max_attempts:
                _abandon(job)
                continue
            return _lease(job, by_name[job.kind], worker, stop)
    return None


def _some_open(queues: Sequence[str]) -> bool:
    """Whether `_due` could find one. Workers ask several times a second, nearly always in vain, and to word
    the whole question takes the framework thirty times as long."""
    now = now_us()
    return bool(
        fetch(
            f"SELECT 1 FROM job WHERE queue IN {one_of(queues)} AND state IN ('queued', 'running')"  # noqa: S608 placeholders
            " AND (state = 'running' OR due_us <= %s OR due_us > %s) LIMIT 1",
            [*queues, now, _furthest_us(now)],
        )
    )


def _due(queues: Sequence[str], by_name: Mapping[str, JobKind]) -> QuerySet[Job]:
    now = now_us()
    waiting = Q(state=Job.State.QUEUED) & (Q(due_us__lte=now) | Q(due_us__gt=_furthest_us(now)))
    running = Q(state=Job.State.RUNNING)
    over = Q(lease_until_us__lt=now)
    for kind in by_name.values():
        # Twice as long: two machines' clocks differ a little.
        over |= Q(kind=kind.name, lease_until_us__gt=now + round(2e6 * kind.lease_seconds))
    return Job.objects.filter(waiting | (running & over), queue__in=list(queues), kind__in=list(by_name))


def _furthest_us(now: int) -> int:
    return now + round(FURTHEST_SECONDS * 1e6)


def _lease(job: Job, kind: JobKind, worker: str, stop: Stop) -> Lease:
    if job.state == Job.State.RUNNING:
        job.error = f"{job.worker} stopped answering in attempt {job.attempts}."
    job.state = Job.State.RUNNING
    job.token += 1
    job.attempts += 1
    job.worker = worker
    job.started_us = now_us()
    job.lease_until_us = _until(kind)
    job.progress_done, job.progress_total, job.note = 0, 0, ""
    job.save()
    arguments: Mapping[str, Any] = job.arguments
    return Lease(job.pk, kind, job.key, arguments, job.token, job.attempts, job.max_attempts, worker, stop)


def _abandon(job: Job) -> None:
    job.error = f"{job.worker} stopped answering in attempt {job.attempts}, the last one."
    job.state = Job.State.FAILED
    job.finished_us = now_us()
    job.save()


def _until(kind: JobKind) -> int:
    return now_us() + round(kind.lease_seconds * 1e6)
