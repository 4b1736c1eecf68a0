"""SQLite's write-ahead log, copied into the database beside the commits and not within one of them.

SQLite copies it once it has so many pages, in whichever commit comes then: that one waits for two more
`fsync`, and every sender behind it waits too. A single statement writes some twenty pages, so with SQLite's
own limit of 1,000 it was every fiftieth commit. Here a thread copies what was committed, which holds up
neither readers nor writers; SQLite's own limit (`databases.SQLITE_WRITE_AHEAD_PAGES`) stays for what this
thread does not get through, and for processes that have none. The graph's file has a write-ahead log of its
own, which the worker copies (`workers.embedded`).

Owns: that thread. Does not own: whether a commit is durable. It is once it is in the write-ahead log, by the
connection that commits. Source: sqlite.org, "Write-Ahead Logging", sections 2.3 and 3.
"""

from __future__ import annotations

import logging
import threading
from multiprocessing.util import Finalize

from django.db import Error as DatabaseFailure
from django.db import connection

from lineage.db.sqlite.mapping import map_nothing

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.1
"""Between two copies, so that a page that many commits have written is copied once. While the disk takes a
copy, a commit waits: at 400 statements a second p99 was 5.4 ms with this, 6.0 with 0.25 and 0.03 s, 7.0 with
one second."""

_grown = threading.Event()
_ending = threading.Event()


def grew() -> None:
    """Something was committed. Costs a look."""
    if not _grown.is_set():
        _grown.set()


def copy(file: str = "main") -> tuple[int, int]:
    """Copy all that is committed to a file, the log's or `graph`, and that no reader still needs; returns the
    pages that its write-ahead log has, and how many of them are in the file by now.

    Raises: the database's errors.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {file}.wal_checkpoint(PASSIVE)")
        _, pages, copied = cursor.fetchone()
    return pages, copied


def copy_for_ever() -> None:
    """Start the thread of this process. Only SQLite has such a log of ours to copy."""
    if connection.vendor != "sqlite":
        return
    thread = threading.Thread(target=_run, name="write-ahead", daemon=True)
    thread.start()
    # Not by `atexit`, which a process that `multiprocessing` has started passes by.
    Finalize(None, _end, args=(thread,), exitpriority=10)


def _run() -> None:
    map_nothing()
    while not _ending.is_set():
        _grown.wait()
        _grown.clear()
        try:
            copy()
        except DatabaseFailure as error:
            logger.warning("SQLite's write-ahead log waits to be copied: %s.", type(error).__name__)
        _ending.wait(PAUSE_SECONDS)
    connection.close()


def _end(thread: threading.Thread) -> None:
    _ending.set()
    _grown.set()
    thread.join(PAUSE_SECONDS)
