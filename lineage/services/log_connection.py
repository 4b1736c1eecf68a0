"""The one database connection of this process that appends to the log.

Each thread has its own connection for everything else. Appending through those would start every commit with
a cold page cache, because SQLite drops a connection's cache whenever another one has written. Who appends is
alone at it (`append` sees to that), so the connection may wander from thread to thread.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

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
        own.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
        yield own
        own.commit()
        own.set_autocommit(True)
    except BaseException:
        # Rolls back whatever is open; the next transaction connects anew.
        own.close()
        raise


def close() -> None:
    """End the connection; the next append opens it again."""
    while _kept:
        _kept.pop().close()


atexit.register(close)
