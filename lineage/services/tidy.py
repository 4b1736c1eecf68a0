"""The hourly tidying: what is kept for a time only and whose time is over.

Owns: when bytes of refusals, sessions, records of looks and the rows of old jobs go. Nothing of the log is
ever among them.
"""

from __future__ import annotations

from django.core.management import call_command
from django.db.models import Q

from lineage.db.models import Job
from lineage.services import access_records, refusals
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease, Result

JOBS_KEPT_US = 30 * 86_400_000_000
"""How long a job is listed after its end."""
POLLS = ("sync", "sync-files", "log-audit")
POLLS_KEPT_US = 3_600_000_000
"""How long one is that the schedule repeats within minutes: what became of it stands with its source."""


def run(lease: Lease) -> Result:
    """The job `tidy`."""
    refused = refusals.forget_old_bytes()
    looks = access_records.forget_old()
    lease.progress(1, 3)
    call_command("clearsessions")
    lease.progress(2, 3)
    ended, now = Job.objects.filter(state__in=[Job.State.DONE, Job.State.FAILED]), now_us()
    old = Q(finished_us__lt=now - JOBS_KEPT_US)
    polls = Q(kind__in=POLLS, requested_by="schedule", finished_us__lt=now - POLLS_KEPT_US)
    _, rows = ended.filter(old | polls).delete()
    return {
        "refusals_emptied": refused,
        "jobs_forgotten": rows.get("lineage_db.Job", 0),
        "looks_forgotten": looks,
    }
