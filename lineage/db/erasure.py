"""Deleting so that SQLite's file holds nothing of it any more. PostgreSQL's housekeeping is its operator's.

Owns: overwriting what is deleted, and emptying the journal that still has the pages as they were before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper


@contextmanager
def overwriting(database: BaseDatabaseWrapper) -> Iterator[None]:
    """What is deleted within the block, in transactions of its own, is overwritten with zeros.

    At its end the journal is emptied, unless somebody reads an older state at this moment: it is when the
    next block ends, or the journal is written anew from its beginning.
    Source: SQLite, PRAGMA secure_delete and wal_checkpoint.
    """
    if database.vendor != "sqlite":
        yield
        return
    with database.cursor() as cursor:
        cursor.execute("PRAGMA secure_delete = ON")
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = OFF")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
