"""One consistent view of the whole database, beside whoever writes to it.

Owns: the connection with the alias `SNAPSHOT` and its read transaction: a deferred one on SQLite, which takes
no lock and sees one state of the write-ahead log; REPEATABLE READ, READ ONLY on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

SNAPSHOT = "snapshot"


@contextmanager
def snapshot() -> Iterator[str]:
    """The alias to read by, as in `Model.objects.using(alias)`, in the calling thread."""
    own = connections[DEFAULT_DB_ALIAS].copy(SNAPSHOT)
    _configure(own)
    connections[SNAPSHOT] = own
    try:
        with transaction.atomic(using=SNAPSHOT):
            _begin(own)
            yield SNAPSHOT
    finally:
        own.close()
        del connections[SNAPSHOT]


def _configure(own: BaseDatabaseWrapper) -> None:
    options = own.settings_dict["OPTIONS"]
    if own.vendor == "sqlite":
        options["transaction_mode"] = "DEFERRED"
        return
    from psycopg import IsolationLevel

    options.pop("pool", None)
    options["isolation_level"] = IsolationLevel.REPEATABLE_READ
    # Inside one transaction they stream, and never hold a table in memory.
    own.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] = False


def _begin(own: BaseDatabaseWrapper) -> None:
    with own.cursor() as cursor:
        if own.vendor == "sqlite":
            cursor.execute("PRAGMA query_only = ON")
            return
        cursor.execute("SET TRANSACTION READ ONLY")
        # However slow the disk is that the archive goes to.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        cursor.execute("SET LOCAL statement_timeout = 0")
