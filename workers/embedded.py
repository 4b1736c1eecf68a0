"""The worker of the embedded default: one loop that projects what is new and publishes checkpoints.

Owns: when to look, when to rest, what to do about errors. Does not own: the work (`services.project`,
`services.publish`), which any process may do at any time: two workers do no harm.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.core.management import call_command
from django.db import DatabaseError, close_old_connections, connection

from lineage.config import current
from lineage.db.models import LogHead
from lineage.errors import LineageError
from lineage.services import project, publish, refusals

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.015
"""Between two looks for news. A look costs some 20 µs on SQLite."""
BATCH = 200
"""Entries projected at a time: whoever appends waits for at most one batch's rows to be written."""
TIDY_SECONDS = 3600.0
"""Between two looks for refused bytes and sessions that are too old to keep."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0

Stop = Callable[[], bool]


def run(stop: Stop) -> None:
    """Work until `stop` says so; it is asked at least every `LONGEST_PAUSE_SECONDS`, mostly every 15 ms."""
    worker = Worker(current().checkpoint_seconds)
    pause = FIRST_PAUSE_SECONDS
    while not stop():
        try:
            rested = worker.step()
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
            time.sleep(IDLE_SECONDS)


def _rest(seconds: float, stop: Stop) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stop():
        time.sleep(IDLE_SECONDS)


@dataclass(slots=True)
class Worker:
    """What the loop remembers between two steps.

    `seen` is the sign of news at the last look; `publish_at` when (monotonic seconds) the next checkpoint is
    due, None where everything is published.
    """

    checkpoint_seconds: float
    seen: int | None = None
    level: bool = False
    publish_at: float | None = 0.0
    tidy_at: float = 0.0

    def step(self) -> bool:
        """Do one piece of work. True where there was none, so that resting costs nobody anything."""
        if not self.level:
            self.level = project.project_pending(BATCH) == 0
        if self.publish_at is not None and time.monotonic() >= self.publish_at:
            # Publishing again until there is no news: one call covers a bounded number of entries.
            self.publish_at = None if publish.publish_once() is None else self._next()
        if time.monotonic() >= self.tidy_at:
            self.tidy_at = time.monotonic() + TIDY_SECONDS
            refusals.forget_old_bytes()
            call_command("clearsessions")
        news = _news()
        if news != self.seen:
            self.seen = news
            self.level = False
            self.publish_at = self._next() if self.publish_at is None else self.publish_at
        return self.level

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
    return LogHead.objects.values_list("size", flat=True).get(pk=1)
