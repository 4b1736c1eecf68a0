"""The kill table: workers killed at each step of a job, Redis gone, two on one job, a zombie.

Each row says where, and then what was there; `pytest -s` prints it. After each, a fresh worker ends what was
left: nothing is lost and nothing is there twice.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from lineage.localservices import redis
from lineage.localservices.service import LocalService
from tests.workers.crew import SMALL_FILES, Crew, until

ROWS: list[tuple[str, str, str]] = []
HEAD = "SELECT 1 FROM log_head WHERE id = 1 FOR UPDATE"


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """Print the table at the end."""
    yield
    print("\n\n| where | what was there right after | at the end |\n|---|---|---|")
    for row in ROWS:
        print("| " + " | ".join(row) + " |")


def was_there(crew: Crew, job_id: int) -> str:
    job = crew.job(job_id)
    return f"job {job['state']}, token {job['token']}, {crew.checks()} entries"


def at_the_end(crew: Crew, job_id: int, *, token: int) -> str:
    """The job is done, its entry is there once, and everything agrees."""
    job = crew.await_state(job_id, "done")
    crew.whole()
    assert job["token"] == token
    assert job["result"] == {"checked": 1, "match": 1, "mismatch": 0, "inconclusive": 0}
    assert len(crew.rows("SELECT 1 FROM job_step WHERE job_id = %s", [job_id])) == 1
    return f"done, token {token}, 1 entry"


def test_killed_before_the_lease(crew: Crew) -> None:
    (job_id,) = crew.enqueue("small-0")
    with crew.holding("LOCK TABLE job IN EXCLUSIVE MODE"):  # taking it waits
        crew.beat()
        worker = crew.worker("first")
        crew.await_waiting()
        worker.kill()
    there = was_there(crew, job_id)
    assert there == "job queued, token 0, 0 entries"
    crew.worker("second")
    ROWS.append(("killed before the lease", there, at_the_end(crew, job_id, token=1)))


def test_killed_in_the_work(crew: Crew) -> None:
    crew.beat()
    worker = crew.worker("first")
    (job_id,) = crew.enqueue("large")
    until("it has begun", lambda: "bytes read" in crew.job(job_id)["note"])
    with crew.holding(f"SELECT 1 FROM job WHERE id = {job_id} FOR UPDATE"):  # its next word of progress waits
        assert crew.job(job_id)["state"] == "running"
        crew.await_waiting()
        worker.kill()
    there = was_there(crew, job_id)
    assert there == "job running, token 1, 0 entries"
    crew.worker("second")
    ROWS.append(("killed in the work", there, at_the_end(crew, job_id, token=2)))
    assert "stopped answering" not in crew.job(job_id)["error"]


def test_killed_between_work_and_transaction(crew: Crew) -> None:
    crew.beat()
    worker = crew.worker("first")
    with crew.holding(HEAD):  # the append waits for the head row
        (job_id,) = crew.enqueue("small-0")
        crew.await_waiting()
        worker.kill()
    there = was_there(crew, job_id)
    assert there == "job running, token 1, 0 entries"
    crew.worker("second")
    ROWS.append(("killed between work and transaction", there, at_the_end(crew, job_id, token=2)))


def test_killed_in_the_transaction(crew: Crew) -> None:
    """All of it or nothing: what PostgreSQL was sent before the kill may have the COMMIT in it already."""
    crew.beat()
    worker = crew.worker("first")
    with crew.holding("LOCK TABLE job_step IN EXCLUSIVE MODE"):  # head row and job are locked
        (job_id,) = crew.enqueue("small-0")
        crew.await_waiting()
        worker.kill()
    crew.await_through()
    there = was_there(crew, job_id)
    assert there in {"job running, token 1, 0 entries", "job done, token 1, 1 entries"}
    crew.worker("second")
    token = 2 if "running" in there else 1
    ROWS.append(("killed in the transaction", there, at_the_end(crew, job_id, token=token)))


def test_killed_after_the_commit_and_before_the_acknowledgement(crew: Crew) -> None:
    crew.beat()
    worker = crew.worker("first")
    locked = threading.Event()
    done = threading.Event()

    def lock_next() -> None:
        """Queue behind the worker's transaction: the table is this thread's as soon as that is over."""
        with psycopg.connect(crew.database) as connection:
            connection.execute("LOCK TABLE job IN ACCESS EXCLUSIVE MODE")
            locked.set()
            done.wait()
            connection.rollback()

    thread = threading.Thread(target=lock_next)
    with crew.holding("LOCK TABLE job_step IN EXCLUSIVE MODE"):
        (job_id,) = crew.enqueue("small-0")
        crew.await_waiting()
        thread.start()
        queued = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
        until("the test is next", lambda: crew.one(queued) > 0)
    try:
        assert locked.wait(60)
        crew.await_waiting()  # the worker looks for the next job: its message is not acknowledged
        worker.kill()
    finally:
        done.set()
        thread.join()
    there = was_there(crew, job_id)
    assert there == "job done, token 1, 1 entries"
    crew.worker("second")
    (other,) = crew.enqueue("small-1")
    crew.await_state(other, "done")
    assert crew.checks() == 2
    ROWS.append(("killed after the commit, unacknowledged", there, at_the_end(crew, job_id, token=1)))


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory, fresh_redis: str) -> Iterator[LocalService]:
    """A Redis to stop. (`fresh_redis` skips the test where there is none.)"""
    service = redis.start(tmp_path_factory.mktemp("redis"))
    yield service
    service.stop()


def test_redis_killed_with_all_it_held(crew_on: Callable[[str], Crew], own_redis: LocalService) -> None:
    crew = crew_on(own_redis.url)
    beat, worker = crew.beat(), crew.worker("only")
    (job_id,) = crew.enqueue("large")
    until("it has begun", lambda: "bytes read" in crew.job(job_id)["note"])
    own_redis.kill()
    there = was_there(crew, job_id)
    at_the_end(crew, job_id, token=1)  # what runs is done without Redis
    own_redis.start()  # empty: it keeps nothing on disk
    (other,) = crew.enqueue("small-0")
    end = at_the_end(crew, other, token=1)
    assert crew.whole()[1] == 2
    assert (worker.popen.poll(), beat.popen.poll()) == (None, None)
    ROWS.append(("Redis killed in the work, back empty", there, f"{end}; so is the next job"))


def test_redis_flushed_under_running_workers(crew: Crew, redis_service: LocalService) -> None:
    from redis import Redis

    crew.beat()
    crew.worker("only")
    (first,) = crew.enqueue("small-0")
    crew.await_state(first, "done")
    with Redis.from_url(redis_service.url, socket_timeout=30) as client:
        client.flushall()
    (job_id,) = crew.enqueue("small-1")
    there = was_there(crew, job_id)
    assert crew.await_state(job_id, "done")["attempts"] == 1
    crew.whole()
    ROWS.append(("Redis flushed under running workers", there, at_the_end(crew, job_id, token=1)))


def test_two_workers_on_the_same_jobs(crew: Crew) -> None:
    crew.beat()
    jobs = crew.enqueue(*(f"small-{number}" for number in range(SMALL_FILES)))
    with crew.holding("LOCK TABLE job IN EXCLUSIVE MODE"):  # both stand at the door
        crew.worker("one", concurrency=2)
        crew.worker("two", concurrency=2)
        crew.await_waiting(2)
    for job_id in jobs:
        assert crew.await_state(job_id, "done")["attempts"] == 1
    assert crew.whole()[1] == SMALL_FILES
    ROWS.append((f"two workers, {SMALL_FILES} jobs", "-", f"each done once, {SMALL_FILES} entries"))


def test_a_zombie_wakes_up_after_its_lease(crew: Crew) -> None:
    crew.beat()
    zombie = crew.worker("zombie")
    (job_id,) = crew.enqueue("large")
    until("it has begun", lambda: "bytes read" in crew.job(job_id)["note"])
    zombie.send(signal.SIGSTOP)
    there = was_there(crew, job_id)
    assert there == "job running, token 1, 0 entries"
    crew.worker("heir")
    end = at_the_end(crew, job_id, token=2)
    zombie.send(signal.SIGCONT)
    until("the zombie learns that it lost the job", lambda: "was lost to another worker" in zombie.said)
    (other,) = crew.enqueue("small-0")
    crew.await_state(other, "done")
    assert crew.whole()[1] == 2
    assert crew.job(job_id)["token"] == 2
    ROWS.append(("stopped, woken up after its lease", there, f"{end}; the zombie was fenced"))


@pytest.mark.parametrize("group", [False, True])
def test_a_worker_that_is_asked_to_end_gives_its_job_back(crew: Crew, group: bool) -> None:
    crew.beat()
    worker = crew.worker("first")
    (job_id,) = crew.enqueue("large")
    until("it has begun", lambda: "bytes read" in crew.job(job_id)["note"])
    assert worker.stop(group=group) == 0
    job = crew.job(job_id)
    assert (job["state"], job["attempts"]) == ("queued", 0)
    there = was_there(crew, job_id)
    crew.worker("second")
    ROWS.append(
        (f"SIGTERM in the work{', to the whole group' * group}", there, at_the_end(crew, job_id, token=2))
    )
