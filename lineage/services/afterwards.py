"""What a web process writes after it has answered, so that nobody waits for it: uses of API keys, who looked.

Owns: the thread that writes, and that it writes a last time when the process ends. A process that is killed
loses what it noted in its last second. Does not own: what is noted.
"""

from __future__ import annotations

import logging
import threading
from multiprocessing.util import Finalize

from django.db import Error as DatabaseFailure
from django.db import connections

from lineage.services import access_records, log_connection, token_uses

logger = logging.getLogger(__name__)

EVERY_SECONDS = 1.0
WRITERS = (access_records.write, token_uses.write)
"""Each writes what was noted since its last call, and keeps it where the database fails."""

_ending = threading.Event()


def write_for_ever() -> None:
    """Start the thread of this process."""
    thread = threading.Thread(target=_run, name="afterwards", daemon=True)
    thread.start()
    # Not by `atexit`, which a process that `multiprocessing` has started passes by.
    Finalize(None, _end, args=(thread,), exitpriority=10)


def write_all() -> None:
    """Write what was noted until now. What the database refuses is tried again the next time."""
    try:
        for write in WRITERS:
            write()
    except DatabaseFailure as error:
        logger.warning("What was noted of requests waits for the database: %s.", type(error).__name__)


def _run() -> None:
    while not _ending.wait(EVERY_SECONDS):
        write_all()
        log_connection.hand_back()


def _end(thread: threading.Thread) -> None:
    _ending.set()
    thread.join(EVERY_SECONDS)
    write_all()
    connections.close_all()
