"""Jobs that a command asks for and does itself, unless a worker is faster; it waits either way.

Owns: the thread that works them off, and the waiting. Django must be ready.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lineage.cli.output import amount, progress

if TYPE_CHECKING:
    from lineage.services.job_records import JobRecord

POLL_SECONDS = 0.1
_OPEN = ("queued", "running")

log = logging.getLogger(__name__)


@contextmanager
def draining(kind_name: str) -> Iterator[None]:
    """A thread that works off jobs of this kind until the block ends; then it gives back what it holds.

    It goes on where the database is away for a moment: else the block would wait for nobody. Where it stays
    away, the block's own questions fail.
    """
    from django.db import DatabaseError, close_old_connections, connections

    from lineage.services import job_kinds, jobs

    ending = threading.Event()
    kind = job_kinds.by_name(kind_name)
    worker = f"{socket.gethostname()}:{os.getpid()}"

    def work() -> None:
        try:
            while not ending.wait(POLL_SECONDS):
                try:
                    jobs.drain(worker, queues=(kind.queue,), kinds=(kind,), stop=ending.is_set)
                except DatabaseError as error:
                    log.warning("No job can be worked off now: %s: %s", type(error).__name__, error)
                    close_old_connections()
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name=kind_name)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def awaited(job_id: int, what: str, shown: Callable[[float], str] = amount) -> JobRecord:
    """The job once it has ended, or an attempt of it has failed, shown while it runs.

    `what` is done to it, for people; its key follows.
    """
    from lineage.services import job_records

    record = job_records.read(job_id)
    before = record.attempts

    def goes_on() -> bool:
        return record.state in _OPEN and not (record.state == "queued" and record.attempts > before)

    while not record.progress.total and goes_on():
        time.sleep(POLL_SECONDS)
        record = job_records.read(job_id)
    with progress(f"{what} {record.key}", record.progress.total, shown) as advance:
        done = 0
        while goes_on():
            advance(max(0, record.progress.done - done))
            done = record.progress.done
            time.sleep(POLL_SECONDS)
            record = job_records.read(job_id)
    return record
