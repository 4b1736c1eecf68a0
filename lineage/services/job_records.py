"""Jobs as people and programs read them. Reads only; `jobs` changes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from lineage.db.models import Job, JobStep
from lineage.errors import NotFoundError
from lineage.services.clock import now_us
from lineage.trust.leaf import rfc3339

MAX_LISTED = 100
MAX_ID = 2**63 - 1


class Progress(msgspec.Struct, frozen=True):
    """In the kind's own unit: bytes where one thing is hashed, else what it counts; `total` 0: not known."""

    done: int
    total: int


class JobRecord(msgspec.Struct, frozen=True):
    """One job. Times are RFC 3339, UTC, empty where it has not come to that.

    Attributes:
        key: what it is about, such as a node's key.
        reason: why it failed, or why its newest attempt did.
        entries: the log indexes of what it has appended step by step.
        due_at: it starts no earlier; a job that failed waits until then for its next attempt.
    """

    id: int
    kind: str
    key: str
    state: str
    progress: Progress
    note: str
    reason: str
    result: dict[str, int | str | list[int] | dict[str, str] | None] | None
    entries: list[int]
    attempts: int
    max_attempts: int
    worker: str
    requested_by: str
    created_at: str
    due_at: str
    started_at: str
    finished_at: str

    @property
    def percent(self) -> int | None:
        """How far a running job is, 0 to 100; None where that isn't known."""
        if self.state != "running" or not self.progress.total:
            return None
        return min(100, 100 * self.progress.done // self.progress.total)


class JobLists(msgspec.Struct, frozen=True):
    """What there is to see: each list at most MAX_LISTED long, and how many there are in all by state."""

    queued: list[JobRecord]
    running: list[JobRecord]
    failed: list[JobRecord]
    done: list[JobRecord]
    lost: frozenset[int]
    """Running ones whose worker has been silent for longer than its lease."""


def read(job_id: int) -> JobRecord:
    """Raises: NotFoundError."""
    job = Job.objects.filter(pk=job_id).first() if 0 < job_id <= MAX_ID else None
    if job is None:
        raise NotFoundError(f"There is no job {job_id}; jobs are forgotten 30 days after their end.")
    return _records([job])[0]


def open_of(kind: str, key: str) -> JobRecord | None:
    """The job of this kind and key that waits or runs; None where none does."""
    found = Job.objects.filter(kind=kind, key=key, state__in=(Job.State.QUEUED, Job.State.RUNNING))
    job = found.first()
    return None if job is None else _records([job])[0]


def lists(*, done: int = 20) -> JobLists:
    """Queued by due time, running and failed and done by the newest first; of the done ones `done`."""
    jobs = {state: Job.objects.filter(state=state) for state in Job.State}
    queued = _records(jobs[Job.State.QUEUED].order_by("due_us", "pk")[:MAX_LISTED])
    running = list(jobs[Job.State.RUNNING].order_by("-started_us")[:MAX_LISTED])
    failed = _records(jobs[Job.State.FAILED].order_by("-finished_us")[:MAX_LISTED])
    ended = _records(jobs[Job.State.DONE].order_by("-finished_us")[:done])
    now = now_us()
    lost = frozenset(job.pk for job in running if job.lease_until_us < now)
    return JobLists(queued, _records(running), failed, ended, lost)


def _records(jobs: Iterable[Job]) -> list[JobRecord]:
    jobs = list(jobs)
    entries = _entries([job.pk for job in jobs])
    return [_record(job, entries.get(job.pk, [])) for job in jobs]


def _entries(ids: Sequence[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    steps = JobStep.objects.filter(job_id__in=ids).order_by("entry_index")
    for job_id, index in steps.values_list("job_id", "entry_index"):
        found.setdefault(job_id, []).append(index)
    return found


def _record(job: Job, entries: list[int]) -> JobRecord:
    return JobRecord(
        id=job.pk,
        kind=job.kind,
        key=job.key,
        state=job.state,
        progress=Progress(job.progress_done, job.progress_total),
        note=job.note,
        reason=job.error if job.state != Job.State.DONE else "",
        result=job.result,
        entries=entries,
        attempts=job.attempts,
        max_attempts=job.max_attempts,
        worker=job.worker,
        requested_by=job.requested_by,
        created_at=rfc3339(job.created_us),
        due_at=rfc3339(job.due_us),
        started_at=_time(job.started_us),
        finished_at=_time(job.finished_us),
    )


def _time(us: int | None) -> str:
    return "" if us is None else rfc3339(us)
