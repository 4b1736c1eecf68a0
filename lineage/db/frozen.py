"""Ending the database's side of an append whose process says nothing any more.

PostgreSQL ends a transaction that waits for its client between two statements, after
`idle_in_transaction_session_timeout`. It does not in the middle of a pipeline, which counts as busy. So an
append that was stopped there, with its process or with the machine under it, would keep the head's lock for
ever. Whoever has waited for the lock in vain looks who has it, and ends that. SQLite has no means to: its
lock is the process's.
"""

from __future__ import annotations

import logging

from django.db import Error, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper

logger = logging.getLogger(__name__)

APPENDS = "lineage append"
"""The `application_name` of connections that append, and do nothing else."""

SILENT_SECONDS = 20.0
"""A process that works sends its next statement within milliseconds of the last one's answer."""

_LOCK_NOT_AVAILABLE = "55P03"
# What a backend waits for is its client only where it has answered all that it was sent.
_END = """
SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND usename = current_user AND application_name = %s
AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
AND wait_event_type = 'Client' AND wait_event = 'ClientRead'
AND query_start < clock_timestamp() - make_interval(secs => %s)
"""


def waited_in_vain(error: BaseException) -> bool:
    """Whether the server gave up to wait for a lock."""
    cause = error.__cause__ if isinstance(error, OperationalError) else None
    return getattr(cause, "sqlstate", None) == _LOCK_NOT_AVAILABLE


def end(database: BaseDatabaseWrapper) -> int:
    """How many appends of this database were ended, because they have been silent for `SILENT_SECONDS`.

    What they had not committed is not there, and their process learns of it by its next statement. `database`
    is connected for this. A failure to ask is logged: the caller has an error of its own to tell.
    """
    try:
        with database.cursor() as cursor:
            cursor.execute(_END, [APPENDS, SILENT_SECONDS])
            ended = [pid for pid, done in cursor.fetchall() if done]
    except Error as error:
        logger.error("Nobody could ask who holds the log's lock: %s: %s", type(error).__name__, error)
        return 0
    finally:
        database.close()
    for pid in ended:
        logger.error("Ended the frozen append of database process %d, which held the log's lock.", pid)
    return len(ended)
