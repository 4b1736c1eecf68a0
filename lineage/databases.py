"""How Django reaches the database that is configured. Owns the options of each vendor, nothing else."""

from __future__ import annotations

from typing import Any

from lineage.config import Config
from lineage.service_urls import Postgresql, Sqlite

CONNECT_SECONDS = 5
POOL_WAIT_SECONDS = 10.0
"""How long a request waits for a connection of the pool before it is told to come back."""
RECONNECT_SECONDS = 2.0
"""After it the pool gives up trying by itself, more and more seldom, and the next request tries at once."""
SQLITE_CACHE_KIB = 8192
"""Pages that one connection keeps, and each thread has one. What the system maps is not among them; more than
this made neither appending nor projecting cheaper (measured with 32 MiB)."""
SQLITE_MAPPED_BYTES = 256 << 20
"""Of each file. Who reads all of a file takes 10 to 15% less time by it; who writes does without
(`db.sqlite.mapping`)."""
SQLITE_WRITE_AHEAD_PAGES = 10_000
"""Pages of 4 KiB in a write-ahead log from which on a commit copies them itself, and waits for that. Until
then the web process copies the log's beside the commits, the worker the graph's (`services.write_ahead`)."""
STATEMENT_MS = 60_000
LOCK_MS = 30_000
WORK_MEM = "16MB"
IDLE_MS = 60_000
"""A transaction that its process has forgotten holds no lock for longer."""
SILENT_MS = 60_000
"""What was sent and is not acknowledged by then was sent to nobody."""


def settings(config: Config) -> dict[str, Any]:
    """The entry of Django's `DATABASES`."""
    if isinstance(config.database, Sqlite):
        return _sqlite(config.database)
    return _postgresql(config.database, config.database_pool)


def _sqlite(database: Sqlite) -> dict[str, Any]:
    return {
        "ENGINE": "lineage.db.sqlite",
        "NAME": str(database.path),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Every transaction takes the write lock at its start: no deadlock by upgrade, and the head
            # row that an append reads can't change before it writes. A receipt is a promise: FULL.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; "
                f"PRAGMA cache_size=-{SQLITE_CACHE_KIB}; "
                f"PRAGMA wal_autocheckpoint={SQLITE_WRITE_AHEAD_PAGES};"
            ),
            # What a power cut takes of the graph is projected again, and what is there is whole.
            "graph": (
                "PRAGMA graph.journal_mode=WAL; PRAGMA graph.synchronous=NORMAL; "
                f"PRAGMA graph.cache_size=-{SQLITE_CACHE_KIB};"
            ),
            "mapped": SQLITE_MAPPED_BYTES,
        },
    }


def _postgresql(database: Postgresql, pool: int) -> dict[str, Any]:
    limits = (
        f"-c statement_timeout={STATEMENT_MS} -c lock_timeout={LOCK_MS}"
        f" -c idle_in_transaction_session_timeout={IDLE_MS}"
        # A closure's set of seen nodes stays in memory. Its costs are overrated a thousandfold, and
        # compiling a query for that takes longer than to answer it.
        f" -c work_mem={WORK_MEM} -c jit=off"
    )
    return {
        "ENGINE": "lineage.db.postgresql",
        "NAME": database.name,
        "USER": database.user,
        "PASSWORD": database.password,
        "HOST": database.host,
        "PORT": database.port,
        "CONN_MAX_AGE": 0,  # the pool keeps them
        "DISABLE_SERVER_SIDE_CURSORS": True,  # outside a transaction each would first find all of its rows
        "OPTIONS": {
            "pool": {
                "min_size": 1,
                "max_size": pool,
                "timeout": POOL_WAIT_SECONDS,
                "reconnect_timeout": RECONNECT_SECONDS,
            },
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "lineage",
            "options": limits,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": SILENT_MS,
        },
    }
