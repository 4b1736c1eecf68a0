"""Checks of a whole storage that somebody asks for: put in line, and looked at while they run.

Owns: the key of such a job. Does not own: the line (`jobs`), checking (`reverify`), what is due by the clock.
"""

from __future__ import annotations

from lineage.db.models import Job
from lineage.errors import ConflictError, NotFoundError
from lineage.services import check_policies, job_records, jobs, storages
from lineage.services.clock import now_us
from lineage.services.job_records import JobRecord

KIND = "reverify"
FULL = "full"


def ask(name: str, *, method: str = "", by: str) -> int:
    """Put a check of what is due in a storage in line, now; returns the job's id.

    `method`: `full` computes each digest again, whatever the policy asks for. Where such a job is in line or
    runs already, that one is it.

    Raises: NotFoundError; ConflictError where the storage is paused, or has quiet hours.
    """
    place = storages.find(name)
    if place is None:
        raise NotFoundError(f"There is no storage {name[:80]!r}.")
    if place.paused:
        raise ConflictError(f"{name} is paused, so nothing is read there.", hint="Resume it first.")
    if check_policies.current().limits_of(place.root.uri).is_quiet(now_us()):
        raise ConflictError(
            f"The check policy has quiet hours for {name} now.",
            hint="Verify a single artifact from its page, or ask again later.",
        )
    return jobs.enqueue(KIND, f"storage:{name}", {"method": FULL} if method == FULL else {}, by=by)


def open_job(name: str) -> JobRecord | None:
    """The check of a storage that waits or runs; None where none does."""
    states = (Job.State.QUEUED, Job.State.RUNNING)
    found = Job.objects.filter(kind=KIND, key=f"storage:{name}", state__in=states)
    job_id = found.values_list("pk", flat=True).first()
    return None if job_id is None else job_records.read(job_id)
