"""The one database connection of this process that appends to the log.

Each thread has its own connection for everything else. Appending through those would start every commit with
a cold page cache, because SQLite drops a connection's cache whenever another one has written. Who appends is
alone at it (`append` sees to that), so the connection may wander from thread to thread.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

WAIT_SECONDS = 30.0

_kept: list[BaseDatabaseWrapper] = []


@contextmanager
def transaction() -> Iterator[BaseDatabaseWrapper]:
    """A transaction that is durable when the block ends, and never was when it raises.

    Raises: RuntimeError inside another transaction of the calling thread, which could not take back what
        this one has made durable, and whose lock this one would wait for.
    """
    if connection.in_atomic_block:
        raise RuntimeError("an append is durable: it can't be part of another transaction")
    if not _kept:
        _kept.append(connections[DEFAULT_DB_ALIAS].copy())
        _kept[0].inc_thread_sharing()
    own = _kept[0]
    try:
        _begin(own)
        yield own
        own.commit()
        own.set_autocommit(True)
    except BaseException:
        # Rolls back whatever is open; the next transaction connects anew.
        own.close()
        raise


def _begin(own: BaseDatabaseWrapper) -> None:
    """Take the write lock as soon as it is free.

    SQLite's own waiting sleeps longer and longer, up to 100 ms after the lock was let go; so it is told to
    wait for a millisecond only, again and again.

    Raises: OperationalError after `WAIT_SECONDS`.
    """
    if own.vendor == "sqlite" and own.connection is None:
        with own.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 1")
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            own.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
            return
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise


def close() -> None:
    """End the connection; the next append opens it again."""
    while _kept:
        _kept.pop().close()


atexit.register(close)
