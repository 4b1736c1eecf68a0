"""The machine's clock was ahead and is set back: nobody waits for it to come there again."""

from __future__ import annotations

import pytest

from lineage.db.models import Job
from lineage.errors import FencedError
from lineage.services import job_lease, jobs
from lineage.services.clock import now_us
from lineage.services.job_kinds import JobKind
from lineage.services.job_lease import Lease

pytestmark = pytest.mark.usefixtures("log")
DAY_US = 86_400_000_000
KIND = JobKind("crash", lambda lease: {}, "short", lease_seconds=60.0)
HOURLY = JobKind("hourly", lambda lease: {}, "short", every_seconds=3600.0)


class Clock:
    def __init__(self) -> None:
        self.at_us = now_us()

    def __call__(self) -> int:
        return self.at_us


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(job_lease, "now_us", made)
    monkeypatch.setattr(jobs, "now_us", made)
    monkeypatch.setattr("lineage.services.job_kinds.KINDS", (KIND, HOURLY))
    return made


def take() -> Lease | None:
    return job_lease.take("w", ("short",), (KIND,), lambda: False)


def test_a_lease_from_the_future_ends_a_lease_after_the_step(clock: Clock) -> None:
    """Its holder may live: it is given the time of a lease, and whoever died is taken over after it."""
    job_id = jobs.enqueue("crash")
    clock.at_us += DAY_US
    dead = take()
    assert dead is not None
    clock.at_us -= DAY_US
    assert take() is None
    assert Job.objects.get(pk=job_id).lease_until_us == clock.at_us + 60_000_000
    clock.at_us += 60_000_001
    heir = take()
    assert heir is not None
    assert heir.token == dead.token + 1
    with pytest.raises(FencedError):
        dead.finish({})
    heir.finish({})
    assert Job.objects.get(pk=job_id).state == Job.State.DONE


def test_a_living_holder_keeps_its_job_across_the_step(clock: Clock) -> None:
    jobs.enqueue("crash")
    clock.at_us += DAY_US
    holder = take()
    assert holder is not None
    clock.at_us -= DAY_US
    assert take() is None
    clock.at_us += 30_000_000
    holder.progress(1, 2)
    clock.at_us += 31_000_000
    assert take() is None
    holder.finish({})


def test_what_is_due_by_the_clock_goes_on_after_the_step(clock: Clock) -> None:
    """Once then, and in its period again."""
    clock.at_us += DAY_US
    assert jobs.enqueue_recurring((HOURLY,)) == 1
    Job.objects.update(state=Job.State.DONE)
    clock.at_us -= DAY_US
    assert jobs.enqueue_recurring((HOURLY,)) == 1
    Job.objects.update(state=Job.State.DONE)
    assert jobs.enqueue_recurring((HOURLY,)) == 0
    clock.at_us += 3_600_000_000
    assert jobs.enqueue_recurring((HOURLY,)) == 1
