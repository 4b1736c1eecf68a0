"""Who writes to SQLite's files, or looks for news many times a second, reads them by copying pages, not as
memory of its own.

SQLite lets go of what it has mapped whenever another connection has written, and maps it anew. For whoever
reads now and then that is little; who appends does it at nearly each append, each page is then looked for by
the system once more, and all threads of the process are interrupted. Measured: docs/performance.md.

Owns: which connections do without. Does not own: how much the others map (`lineage.databases`).
Source: sqlite.org, "Memory-Mapped I/O".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.db import DEFAULT_DB_ALIAS, connections

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from lineage.db.sqlite.base import DatabaseWrapper


def map_nothing(database: BaseDatabaseWrapper | None = None) -> None:
    """From now on, also once it has connected anew. By default the calling thread's connection. Nothing
    where it is not SQLite's."""
    database = connections[DEFAULT_DB_ALIAS] if database is None else database
    if database.vendor == "sqlite":
        cast("DatabaseWrapper", database).map_nothing()
