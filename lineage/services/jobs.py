"""Jobs: put in line, worked off in order of due time, tried again, counted.

Owns: the line. Does not own: what a worker may still say about a job that it had (`job_lease`), what kinds
there are (`job_kinds`), when workers look (Celery or a thread: both call `drain` and nothing else).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Count, Max

from lineage import logs, tracing
from lineage.broker import LONG, SHORT, SYNC
from lineage.db.models import Job
from lineage.errors import (
    ConflictError,
    FencedError,
    GraphBehindError,
    LineageError,
    NotFoundError,
    RollbackError,
    UnavailableError,
)
from lineage.services import job_kinds, job_lease, wake
from lineage.services.beats import beat, beats
from lineage.services.clock import now_us
from lineage.services.job_kinds import JobKind
from lineage.services.job_lease import Lease, Stop, StoppedError

__all__ = ["beat", "beats", "counts", "drain", "enqueue", "enqueue_recurring", "retry"]

QUEUES = (SHORT, SYNC, LONG)
_OPEN = (Job.State.QUEUED, Job.State.RUNNING)

log = logging.getLogger(__name__)


def _never() -> bool:
    return False


def enqueue(
    kind: str,
    key: str = "",
    arguments: Mapping[str, Any] | None = None,
    *,
    due: int | None = None,
    by: str = "",
) -> int:
    """Put a job in line and wake a worker; returns its id.

    Where one of this kind and key is queued or running already, that one is it. `due` is the earliest start
    in µs since the epoch, less than `job_lease.FURTHEST_SECONDS` from now; `by` who asked for it.

    Raises: MalformedError for an unknown kind.
    """
    known = job_kinds.by_name(kind)
    now = now_us()
    row = Job(
        kind=kind,
        key=key,
        queue=known.queue,
        arguments=dict(arguments or {}),
        due_us=now if due is None else due,
        max_attempts=known.max_attempts,
        created_us=now,
        requested_by=by,
    )
    while True:
        Job.objects.bulk_create([row], ignore_conflicts=True)
        job_id = Job.objects.filter(kind=kind, key=key, state__in=_OPEN).values_list("pk", flat=True).first()
        if job_id is not None:  # else the one that was open has just ended
            transaction.on_commit(lambda: wake.job(known.queue))
            return job_id


def enqueue_recurring(kinds: Sequence[JobKind] | None = None) -> int:
    """Put in line what is due by the clock; returns how many.

    Raises: UnavailableError, once all others are in line, where it can't be told what is due of some kinds;
        DatabaseError where the database is away.
    """
    recurring = [kind for kind in _kinds(kinds) if kind.every_seconds is not None]
    names = [kind.name for kind in recurring]
    made = Job.objects.filter(kind__in=names, key="").values("kind")
    last = made.annotate(last=Max("pk")).values("last")
    newest = dict(Job.objects.filter(pk__in=last).values_list("kind", "created_us"))
    now, count = now_us(), 0
    for kind in recurring:
        assert kind.every_seconds is not None
        age = now - newest.get(kind.name, 0)
        # Made in what is still to come: by a clock that has been set back since.
        if age < 0 or age >= kind.every_seconds * 1e6:
            enqueue(kind.name, by="schedule")
            count += 1
    return count + _enqueue_due(_kinds(kinds), now)


def _enqueue_due(kinds: Sequence[JobKind], now: int) -> int:
    """What each kind says is due. One that can't say keeps none of the others from it."""
    count, failed = 0, {}
    for kind in kinds:
        try:
            for key, arguments in kind.due(now) if kind.due else ():
                enqueue(kind.name, key, arguments, by="schedule")
                count += 1
        except (LineageError, DatabaseError) as error:
            failed[kind.name] = error
    if failed:
        words = ", ".join(f"{name} ({type(error).__name__}: {error})" for name, error in failed.items())
        raise UnavailableError(f"It can't be told what is due of {words}.") from next(iter(failed.values()))
    return count


def drain(
    worker: str,
    *,
    queues: Sequence[str] = QUEUES,
    stop: Stop = _never,
    kinds: Sequence[JobKind] | None = None,
) -> int:
    """Work off what is due, the longest due first, until nothing is or `stop` says so; returns how many.

    Raises: DatabaseError where the database is away; the lease of the job in hand then runs out.
    """
    known, done = _kinds(kinds), 0
    while not stop():
        lease = job_lease.take(worker, queues, known, stop)
        if lease is None:
            break
        with logs.job(lease.job_id), tracing.span("lineage.job", id=lease.job_id, kind=lease.kind.name):
            _run(lease)
        done += 1
    return done


def _kinds(kinds: Sequence[JobKind] | None) -> Sequence[JobKind]:
    return job_kinds.KINDS if kinds is None else kinds


def _run(lease: Lease) -> None:
    what = f"{lease.kind.name} {lease.key}".rstrip()  # jobs of a kind that has one alone have no key
    name = f"job {lease.job_id} ({what})"
    try:
        result = lease.kind.run(lease)
        if not lease.finished:
            lease.finish(result)
        for kind in lease.kind.then(result) if lease.kind.then else ():
            enqueue(kind, lease.key, by="schedule")
        log.info("%s is done: %s", name, result)
    except FencedError as error:
        log.warning("%s was lost to another worker, which goes on with it: %s", name, error)
    except StoppedError:
        _settle(name, "goes back into the line, because this worker ends", lease.give_back)
    except (RollbackError, GraphBehindError) as error:
        reason = f"{type(error).__name__}: {error}"
        _settle(name, f"waits: {reason}", lambda: lease.postpone(reason))
    except (LineageError, DatabaseError, OSError) as error:
        reason = f"{type(error).__name__}: {error}"
        # What is wrong with the request stays wrong; what is wrong here may be mended meanwhile.
        again = not isinstance(error, LineageError) or error.status >= 500
        _settle(name, f"failed: {reason}", lambda: lease.fail(reason, retry=again))
    except Exception as error:
        # A defect. It is one job's, so the others are worked off, and its reason is in its row.
        log.exception("%s failed", name)
        reason = f"{type(error).__name__}: {error}"
        _settle(name, "failed by a defect", lambda: lease.fail(reason, retry=True))


def _settle(name: str, words: str, write: Callable[[], None]) -> None:
    """Say and write how an attempt ended, unless the job is somebody else's by now."""
    try:
        write()
        log.warning("%s %s", name, words)
    except FencedError:
        log.warning("%s %s, and another worker has it", name, words)


def retry(job_id: int) -> None:
    """Put a failed job back in line, with all its attempts.

    Raises: NotFoundError; ConflictError where it has not failed, or another of its kind and key is open.
    """
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise NotFoundError(f"There is no job {job_id}.")
    failed = Job.objects.filter(pk=job_id, state=Job.State.FAILED)
    try:
        with transaction.atomic():
            queued = failed.update(state=Job.State.QUEUED, attempts=0, due_us=now_us(), finished_us=None)
    except IntegrityError as error:
        raise ConflictError(f"Another job {job.kind} {job.key} is in line already.") from error
    if not queued:
        raise ConflictError(f"Job {job_id} has not failed: it is {job.state}.")
    wake.job(job.queue)


def counts() -> dict[str, int]:
    """How many jobs are in each state; every state is there."""
    found = dict(Job.objects.values_list("state").annotate(count=Count("pk")))
    return {state.value: found.get(state.value, 0) for state in Job.State}
