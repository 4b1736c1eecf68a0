"""Syncs that somebody asks for: put in line, and looked at while they run.

Owns: what becomes of an ask where a sync of that source is in line already. Does not own: the line (`jobs`),
syncs that are due by the clock (`sources.due`). Apart from `sources`, which the kinds of jobs know.
"""

from __future__ import annotations

from django.db import transaction

from lineage.db.models import Job
from lineage.errors import ConflictError
from lineage.services import job_records, jobs, sources, wake
from lineage.services.clock import now_us
from lineage.services.job_records import JobRecord

KIND = "sync"


def ask(name: str, *, sweep: bool = False, rehash: bool = False, by: str) -> int:
    """Put a sync of a source in line, now; returns the job's id.

    One that waits already is made to do what is asked for too. One that runs is as good as a new one, unless
    it does less than what is asked for. `rehash` implies a sweep.

    Raises: NotFoundError; ConflictError where the source is paused, or a sync runs that does less.
    """
    source = sources.find(name)
    if source.paused:
        raise ConflictError(f"{name} is paused, so nothing connects to it.", hint="Resume it first.")
    wanted = {key: True for key, said in (("sweep", sweep or rehash), ("rehash", rehash)) if said}
    job_id = jobs.enqueue(KIND, name, wanted, by=by)
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job_id)
        does = wanted.items() <= job.arguments.items()
        waiting = Job.objects.filter(pk=job_id, state=Job.State.QUEUED)
        if waiting.update(arguments={**job.arguments, **wanted}, due_us=min(job.due_us, now_us())):
            transaction.on_commit(lambda: wake.job(job.queue))
            return job_id
    if does:
        return job_id
    raise ConflictError(
        f"A sync of {name} runs now that {_lacks(wanted)}.", hint=f"Ask again when job {job_id} is done."
    )


def _lacks(wanted: dict[str, bool]) -> str:
    return "hashes nothing again" if "rehash" in wanted else "is no full sweep"


def open_job(name: str) -> JobRecord | None:
    """The sync of a source that waits or runs; None where none does."""
    found = Job.objects.filter(kind=KIND, key=name, state__in=(Job.State.QUEUED, Job.State.RUNNING))
    job_id = found.values_list("pk", flat=True).first()
    return None if job_id is None else job_records.read(job_id)
