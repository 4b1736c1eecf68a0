"""The machine's clock was ahead and is set back: nobody waits for it to come there again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lineage import config
from lineage.db.models import Job, StorageState, WitnessState
from lineage.errors import FencedError
from lineage.services import beats, intake, job_lease, jobs, publish, storage_access, witnesses
from lineage.services.clock import now_us
from lineage.services.job_kinds import JobKind
from lineage.services.job_lease import Lease
from lineage.witness_settings import Witness
from tests import factories
from tests.witness_server import TestWitness

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


def test_a_job_that_failed_in_the_future_is_tried_at_once(clock: Clock) -> None:
    """It stands in for what the schedule would ask for, so nobody else would do that either."""
    job_id = jobs.enqueue("crash")
    clock.at_us += DAY_US
    first = take()
    assert first is not None
    first.fail("no", retry=True)
    clock.at_us -= DAY_US
    assert jobs.enqueue("crash") == job_id
    second = take()
    assert second is not None
    assert (second.job_id, second.attempt) == (job_id, 2)


def test_a_job_that_was_put_in_line_in_the_future_is_due_at_once(clock: Clock) -> None:
    clock.at_us += DAY_US
    job_id = jobs.enqueue("crash")
    clock.at_us -= DAY_US
    lease = take()
    assert lease is not None
    assert lease.job_id == job_id


def test_the_longest_pause_is_kept(clock: Clock) -> None:
    """Also where another machine's clock is as much behind."""
    jobs.enqueue("crash", due=clock.at_us + round(job_lease.LONGEST_PAUSE_SECONDS * 1e6))
    assert take() is None
    clock.at_us -= round(job_lease.LONGEST_PAUSE_SECONDS * 1e6)
    assert take() is None


def test_a_storage_that_was_gone_in_the_future_is_tried_at_once(clock: Clock) -> None:
    ahead = clock.at_us + DAY_US
    StorageState.objects.create(storage="s", gone_us=ahead, tried_us=ahead, failures=1)
    pause = storage_access.FIRST_PAUSE_US
    tries = [storage_access.may_try("s", at_us) for at_us in (clock.at_us, ahead, ahead + pause)]
    assert tries == [True, False, True]


def test_a_witness_that_did_not_answer_in_the_future_is_asked_at_once(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Witness(TestWitness(1).verifier_key, "http://127.0.0.1:1")
    monkeypatch.setattr(witnesses, "current", lambda: replace(config.current(), witnesses=(one,)))
    intake.submit(factories.registered().envelope(factories.statement()), token="t")
    publish.publish_once()
    ahead = clock.at_us + DAY_US
    WitnessState.objects.create(witness=one.key, asked_us=ahead, failures=1)
    pause = 2 * witnesses.FIRST_PAUSE_US
    asked = [len(list(witnesses.due(at_us))) for at_us in (clock.at_us, ahead, ahead + pause)]
    assert asked == [1, 0, 1]


def test_a_sign_of_life_from_the_future_is_none(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever died before the step is late at once; whoever lives gives another sign, and is not."""
    monkeypatch.setattr(beats, "now_us", clock)
    monkeypatch.setattr(beats, "_written", {})
    clock.at_us += DAY_US
    beats.beat("short")
    clock.at_us -= DAY_US
    assert {beat.name: beat.age_seconds for beat in beats.condition() if beat.late}["short"] is None
    beats._written.clear()
    beats.beat("short")
    assert "short" not in [beat.name for beat in beats.condition() if beat.late]
