"""The worker of an installation without a broker: it follows the log, and works off jobs beside.

Owns: when to look, when to rest, what to do about errors. Does not own: the work (`services.project`,
`services.publish`, `services.jobs`), which any process may do at any time: two workers do no harm. Each queue
of jobs has a thread of its own, so that a long job delays neither the graph nor a short one.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import DatabaseError, close_old_connections, connection, connections

from lineage import broker
from lineage.config import current
from lineage.db.sqlite.mapping import map_nothing
from lineage.errors import LineageError, RollbackError
from lineage.giving_way import hurry
from lineage.services import archive, beats, follow, jobs, log_head, project, publish, write_ahead
from lineage.services.bursts import Burst

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.015
"""Between two looks for news. A look costs some 20 µs on SQLite."""
BATCH = 200
"""Entries projected at a time."""
PIECE = 20
"""Instead of them while the worker keeps up. Each is copied into SQLite's file of the graph at once: the disk
is the log's too, and while it takes the 350 pages of sixty entries, a receipt waits for 4 ms."""
INDEXED = 50
"""Envelopes that Archivista's index takes in at a time, with each batch that was not a full one. It is in the
log's file: 200 of them were two milliseconds of its lock, and a megabyte that the next receipt waited for."""
COPY_SECONDS = 0.05
"""From any other batch to the copy of what the graph's file has in its write-ahead log."""
LOOK_SECONDS = 1.0
"""Between two looks at the graph without news: that its storages have changed, or what a redaction names is
gone, is no entry."""
JOB_IDLE_SECONDS = 0.2
"""Between two looks for jobs."""
RECURRING_SECONDS = 10.0
"""Between two looks for what is due by the clock."""
NEO4J_SECONDS = 5.0
"""Between two looks at Neo4j without news in the log: it may have been wiped."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

Stop = Callable[[], bool]
Step = Callable[[], bool]
"""One piece of work; True where there was none."""


def run(stop: Stop) -> None:
    """Work until `stop` says so; it is asked at least every `LONGEST_PAUSE_SECONDS`, mostly every 15 ms."""
    ending = threading.Event()
    sides = [_Side(queue, JobQueue(queue, ending.is_set).step, ending) for queue in jobs.QUEUES]
    if current().graph is not None:
        sides.append(_Side("neo4j", Neo4j().step, ending))
    worker = Worker(current().checkpoint_seconds)

    def step() -> bool:
        beats.beat(broker.GRAPH)
        return worker.step()

    for side in sides:
        side.start()
    try:
        _keep_going(step, lambda: stop() or any(side.error for side in sides), IDLE_SECONDS)
    finally:
        ending.set()
        for side in sides:
            side.join()
    for side in sides:
        if side.error is not None:
            raise side.error


def _keep_going(step: Step, stop: Stop, idle_seconds: float) -> None:
    """Step until `stop` says so, resting where there is no work, waiting where it can't be done."""
    pause = FIRST_PAUSE_SECONDS
    while not stop():
        try:
            rested = step()
            pause = FIRST_PAUSE_SECONDS
        except (LineageError, DatabaseError, OSError) as error:
            log.error(
                "The worker could not go on and tries again in %g s: %s: %s",
                pause,
                type(error).__name__,
                error,
            )
            close_old_connections()
            _rest(pause, stop)
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2)
            continue
        if rested:
            time.sleep(idle_seconds)


def _rest(seconds: float, stop: Stop) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stop():
        time.sleep(IDLE_SECONDS)


class _Side(threading.Thread):
    """What is done beside following the log. What nobody foresaw ends the whole worker, loudly."""

    def __init__(self, name: str, step: Step, ending: threading.Event) -> None:
        super().__init__(name=name)
        self._step = step
        self._ending = ending
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            map_nothing()
            _keep_going(self._step, self._ending.is_set, JOB_IDLE_SECONDS)
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()


@dataclass(slots=True)
class JobQueue:
    """Works off the jobs of one queue; the short one's looks at the clock too."""

    queue: str
    stop: Stop
    recurring_at: float = 0.0

    def step(self) -> bool:
        beats.beat(self.queue)
        if self.queue == broker.SHORT and time.monotonic() >= self.recurring_at:
            self.recurring_at = time.monotonic() + RECURRING_SECONDS
            jobs.enqueue_recurring()
        return jobs.drain(f"{socket.gethostname()}:{os.getpid()}", queues=(self.queue,), stop=self.stop) == 0


@dataclass(slots=True)
class Neo4j:
    """Brings Neo4j level when the log has grown, and looks after it now and then."""

    seen: int = -1
    look_at: float = 0.0

    def step(self) -> bool:
        size = _size()
        if size != self.seen or time.monotonic() >= self.look_at:
            follow.project_neo4j()
            self.seen, self.look_at = size, time.monotonic() + NEO4J_SECONDS
        return True


@dataclass(slots=True)
class Worker:
    """What the loop remembers between two steps.

    `seen` is the sign of news at the last look; `project_at` when (monotonic seconds) the graph is to be
    brought level again; `in_a_row` how many entries were taken up since less than a piece waited; `behind`
    whether more may wait than a batch; `publish_at` when the next checkpoint is due, None where everything is
    published; `copy_at` when to copy the graph's write-ahead log, None where it has nothing new; `look_at`
    when to look at the graph all the same.
    """

    checkpoint_seconds: float
    seen: int | None = None
    level: bool = False
    project_at: float = 0.0
    publish_at: float | None = 0.0
    copy_at: float | None = None
    look_at: float = 0.0
    in_a_row: int = 0
    behind: bool = False
    burst: Burst = field(default_factory=Burst)

    def step(self) -> bool:
        """Do one piece of work. True where there was none, so that resting costs nobody anything."""
        now = time.monotonic()
        waits = now < self.project_at
        if now >= self.look_at:
            self.level, self.look_at = False, now + LOOK_SECONDS
        try:
            if not self.level and not waits:
                self._project()
        except (LineageError, DatabaseError, OSError):
            self._publish()  # whatever is wrong with the graph, what was sent has a proof
            raise
        self._publish()
        if self.copy_at is not None and time.monotonic() >= self.copy_at:
            write_ahead.copy("graph")
            self.copy_at = None
        return self.level or waits

    def _publish(self) -> None:
        """The next checkpoint, where it is due; and look for news."""
        if self.publish_at is not None and time.monotonic() >= self.publish_at:
            # Publishing again until there is no news: one call covers a bounded number of entries.
            self.publish_at = self._published()
        news = _news()
        if news != self.seen:
            self.seen = news
            self.level = False
            self.publish_at = self._next() if self.publish_at is None else self.publish_at

    def _project(self) -> None:
        """A batch. Those of a stream are taken up together: a transaction costs more than an entry."""
        if self.behind and (rest := self.burst.rest(_size())):
            self.project_at = time.monotonic() + rest
            return
        most = BATCH if self.in_a_row >= BATCH else PIECE
        done = project.project_pending(most)
        self.in_a_row = self.in_a_row + done if done >= PIECE else 0
        self.behind = done == most and self.in_a_row >= BATCH
        hurry(self.behind)
        if done and connection.vendor == "sqlite" and (self.copy_at is None or done == PIECE):
            self.copy_at = time.monotonic() + (0.0 if done == PIECE else COPY_SECONDS)
        if follow.STREAM <= done < most:
            self.project_at = time.monotonic() + follow.SQL_PAUSE_SECONDS
        indexed = 0 if self.behind else archive.step(INDEXED)
        self.level = not self.behind and done == indexed == 0
        if done == 0:
            self.burst.level()

    def _published(self) -> float | None:
        """When to publish again. The graph goes on to follow a log that may publish nothing."""
        try:
            return None if publish.publish_once() is None else self._next()
        except RollbackError as error:
            log.error("Nothing is published: %s %s", error.message, error.hint)
            return time.monotonic() + LONGEST_PAUSE_SECONDS

    def _next(self) -> float:
        return time.monotonic() + self.checkpoint_seconds


def _news() -> int:
    """A number that changes when another connection has committed to the database.

    On SQLite `PRAGMA data_version`, which reads one page of shared memory and no table.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            (version,) = cursor.fetchone()
        return int(version)
    return _size()


def _size() -> int:
    head = log_head.read()
    assert head is not None, "a worker starts on a log that has begun"
    return head.size
