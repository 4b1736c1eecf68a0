"""An installation on PostgreSQL and Redis with real worker processes, and locks that hold them at a point.

Nothing in the product knows of tests: a worker is held where PostgreSQL makes it wait, for a lock that the
test has taken. Every wait here is for something to become true, never for time to pass.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from tests import forks
from tests.server import CHECKOUT

_OF_TYPE = "predicate_type_id = (SELECT id FROM log_predicate_type WHERE name = %s)"

PATIENCE_SECONDS = 180.0
LARGE_BYTES = 32 << 20
LARGE_SECONDS = 4
"""As long the large file is read at the least, at the rate that the log's policy of checks allows."""
SMALL_FILES = 12
CHECK_TYPE = "urn:lineage:predicate:check:v1"
APPLICATION = "tests.workers.celery_app"
CELERY = (
    *("celery.bin.celery", "celery.bin.beat", "celery.app.trace", "celery.concurrency.prefork"),
    *("celery.worker.worker", "celery.apps.worker", "celery.apps.beat", "kombu.transport.redis"),
)
"""What its processes import."""
NEW_FILE = "new"
"""The only one of which it is not in the log yet what it consists of."""


def until(what: str, true: Callable[[], bool]) -> None:
    """Return once `true` says so. Raises: AssertionError where it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"in {PATIENCE_SECONDS:.0f} s it never came to this: {what}"
        time.sleep(0.02)


def make_files(root: Path) -> None:
    """Small files, and a large one that takes a while to read, and no room on the disk."""
    root.mkdir()
    for number in range(SMALL_FILES):
        (root / f"small-{number}").write_bytes(os.urandom(4096))
    (root / NEW_FILE).write_bytes(os.urandom(4096))
    with open(root / "large", "wb") as file:
        file.truncate(LARGE_BYTES)


@dataclass
class Process:
    """A Celery process with its children, in a process group of its own."""

    name: str
    popen: forks.Process | subprocess.Popen[str]
    log: Path

    def kill(self) -> None:
        """kill -9, parent and children at once."""
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def send(self, number: signal.Signals) -> None:
        os.killpg(self.popen.pid, number)

    def stop(self, *, group: bool) -> int:
        """SIGTERM to the parent, or to its children too: supervisors do either. Gives the exit code."""
        if group:
            self.send(signal.SIGTERM)
        else:
            self.popen.terminate()
        return self.popen.wait(PATIENCE_SECONDS)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass
class Crew:
    """One installation: `keys` are the node keys of its files, by name."""

    environment: dict[str, str]
    home: Path
    database: str
    keys: dict[str, str]
    processes: list[Process] = field(default_factory=list)

    def worker(self, name: str = "worker", *, queues: str = "long", concurrency: int = 1) -> Process:
        """A worker process. Nothing waits for it to be ready: what is to be done waits for it."""
        return self._start(
            name,
            *("-A", APPLICATION, "worker", "-Q", queues, "-c", str(concurrency)),
            *("-n", f"{name}@tests", "--loglevel", "INFO"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        )

    def beat(self) -> Process:
        return self._start("beat", "-A", APPLICATION, "beat", "--loglevel", "INFO")

    def _start(self, name: str, *arguments: str) -> Process:
        log = self.home / f"{name}.log"
        with open(log, "wb") as file:
            popen = forks.start(
                ["-m", "celery", *arguments],
                env=self.environment,
                cwd=self.home,
                output=file,
                group=True,
                modules=CELERY,
            )
        process = Process(name, popen, log)
        self.processes.append(process)
        return process

    def end(self) -> None:
        """Every process of it, whatever state a test left it in."""
        for process in self.processes:
            try:
                os.killpg(process.popen.pid, signal.SIGCONT)
                os.killpg(process.popen.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.popen.wait()
        if "_asking" in vars(self):
            self._asking.close()

    def run(self, code: str) -> str:
        """What Python code prints that runs as another process of the installation."""
        program = f"import django; django.setup()\n{code}"
        done = forks.run(["-c", program], env=self.environment, cwd=self.home)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def enqueue(self, *names: str) -> list[int]:
        """Jobs that hash these files again; returns their ids."""
        keys = [self.keys[name] for name in names]
        code = f"from lineage.services import jobs\nfor key in {keys!r}: print(jobs.enqueue('reverify', key))"
        return [int(line) for line in self.run(code).split()]

    @cached_property
    def _asking(self) -> psycopg.Connection:
        """Kept: to check a password takes longer than what is asked for again and again."""
        return psycopg.connect(self.database, autocommit=True)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        return self._asking.execute(sql.encode(), parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        return self.rows(sql, parameters)[0][0]

    def job(self, job_id: int) -> dict[str, Any]:
        columns = ("state", "token", "attempts", "result", "error", "worker", "note")
        (row,) = self.rows(f"SELECT {', '.join(columns)} FROM job WHERE id = %s", [job_id])
        return dict(zip(columns, row, strict=True))

    def await_state(self, job_id: int, state: str) -> dict[str, Any]:
        until(f"job {job_id} is {state}", lambda: self.job(job_id)["state"] == state)
        return self.job(job_id)

    def checks(self) -> int:
        """How many sweeps the log has."""
        return self.said(CHECK_TYPE)

    def said(self, predicate_type: str) -> int:
        """How many entries of this type the log has."""
        return int(self.one(f"SELECT count(*) FROM log_entry WHERE {_OF_TYPE}", [predicate_type]))

    def await_waiting(self, processes: int = 1) -> None:
        """Return once so many processes of the installation wait for a lock."""
        sql = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND starts_with(application_name, 'lineage') AND wait_event_type = 'Lock'"
        )
        until(f"{processes} wait for a lock", lambda: self.one(sql) >= processes)

    def await_through(self) -> None:
        """Return once the database has ended what the processes had begun, also one that was killed."""
        sql = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND starts_with(application_name, 'lineage') AND xact_start IS NOT NULL"
        )
        until("the database is through with it", lambda: self.one(sql) == 0)

    @contextmanager
    def holding(self, statement: str) -> Iterator[psycopg.Connection]:
        """A transaction of the test's own that holds what `statement` locks, until the block ends."""
        with psycopg.connect(self.database) as connection:
            connection.execute(statement.encode())
            yield connection
            connection.rollback()

    def whole(self) -> tuple[int, int]:
        """The log's size, once its indexes are shown to be dense and each step to have one entry."""
        (row,) = self.rows(
            'SELECT (SELECT size FROM log_head), count(*), min("index"), max("index"),'
            f" count(*) FILTER (WHERE {_OF_TYPE}),"
            " (SELECT count(*) FROM job_step), (SELECT count(DISTINCT entry_index) FROM job_step)"
            " FROM log_entry",
            [CHECK_TYPE],
        )
        size, count, first, last, checks, steps, distinct = row
        assert (count, first, last) == (size, 0, size - 1)
        assert checks == steps == distinct
        return size, steps


def prepared_keys(environment: dict[str, str], home: Path) -> dict[str, str]:
    """Run `tests.workers.prepare` in the environment."""
    done = forks.run(["-m", "tests.workers.prepare"], env=environment, cwd=home)
    assert done.returncode == 0, done.stderr
    keys: dict[str, str] = json.loads(done.stdout)
    return keys


def environment_of(home: Path, root: Path, database: str, broker: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    return inherited | {
        "LINEAGE_HOME": str(home),
        "LINEAGE_KEYS": str(home / "keys"),
        "LINEAGE_STORAGE_ROOTS": str(root),
        "LINEAGE_DATABASE_URL": database,
        "LINEAGE_BROKER_URL": broker,
        "DJANGO_SETTINGS_MODULE": "lineage.settings",
        "PYTHONPATH": str(CHECKOUT),
    }
