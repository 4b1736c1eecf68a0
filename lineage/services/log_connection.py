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
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage.db import frozen
from lineage.db.sqlite.mapping import map_nothing
from lineage.db.turn import Turn
from lineage.db.waiting import has_spoken
from lineage.services import write_ahead

if TYPE_CHECKING:
    from lineage.db.wire import Wire

WAIT_SECONDS = 30.0

_turn = Turn()
_kept: list[BaseDatabaseWrapper] = []
_wires: WeakKeyDictionary[Any, Wire] = WeakKeyDictionary()
"""By the driver's own connection."""


class Transaction(NamedTuple):
    """`wire`: by which statements are sent on PostgreSQL where it is pipelined. Its answers are to be
    received before `database` is asked anything."""

    database: BaseDatabaseWrapper
    wire: Wire | None


@contextmanager
def transaction(pipelined: bool = False) -> Iterator[Transaction]:
    """A transaction that is durable when the block ends, and never was when it raises.

    `pipelined`: on PostgreSQL statements are sent by a wire, and the commit travels with what was sent last.

    Raises: RuntimeError inside another transaction of the calling thread, which could not take back what
        this one has made durable, and whose lock this one would wait for.
    """
    if connection.in_atomic_block:
        raise RuntimeError("an append is durable: it can't be part of another transaction")
    if not _kept:
        _kept.append(_own())
    with _turn.at(_kept[0]):
        yield from _transaction(_kept[0], pipelined)


def _transaction(own: BaseDatabaseWrapper, pipelined: bool) -> Iterator[Transaction]:
    try:
        _begin(own)
        if own.vendor == "sqlite":
            yield Transaction(own, None)
            # Said to the driver itself: what the framework does around it costs more than the statement.
            with own.wrap_database_errors:
                own.connection.execute("COMMIT")
            write_ahead.grew()
        elif pipelined:
            wire = _wire(own)
            wire.send("BEGIN")
            yield Transaction(own, wire)
            with own.wrap_database_errors:
                wire.commit()
        else:
            own.set_autocommit(False)
            yield Transaction(own, None)
            own.commit()
            own.set_autocommit(True)
    except BaseException as error:
        # Rolls back whatever is open; the next transaction connects anew.
        own.close()
        if frozen.waited_in_vain(error):
            frozen.end(own)
        raise


def _own() -> BaseDatabaseWrapper:
    """A connection beside the pool's: an append never waits until some reader has handed one back."""
    own = connections[DEFAULT_DB_ALIAS].copy()
    own.inc_thread_sharing()
    options = own.settings_dict["OPTIONS"]
    if own.vendor == "sqlite":
        del options["graph"]  # whose lock is not for who appends
        map_nothing(own)
    if own.vendor == "postgresql":
        options.pop("pool", None)
        options["prepare_threshold"] = 0
        options["application_name"] = frozen.APPENDS
        # A statement that was planned while the log was small must not go through the whole of it later. And
        # one plan serves all values: PostgreSQL guesses what it costs too high, and would make one each time.
        options["options"] = (
            options.get("options", "") + " -c enable_seqscan=off -c plan_cache_mode=force_generic_plan"
        )
    return own


def _wire(own: BaseDatabaseWrapper) -> Wire:
    """That of this connection; it knows which statements the server has prepared."""
    from lineage.db.wire import Wire  # which needs Psycopg, and a process on SQLite does not load it

    own.ensure_connection()
    raw = own.connection
    if raw not in _wires:
        _wires[raw] = Wire(raw)
    return _wires[raw]


def hand_back() -> None:
    """Give the calling thread's connection back to the pool, where there is one, before it waits for others.

    Threads that wait for an append or a projection would otherwise hold all connections, and whoever they
    wait for might need one.
    """
    own = connections[DEFAULT_DB_ALIAS]
    if own.connection is not None and own.vendor == "postgresql" and not own.in_atomic_block:
        own.close()


def _begin(own: BaseDatabaseWrapper) -> None:
    """Take SQLite's write lock as soon as it is free; PostgreSQL's is the head row's, taken by reading it.

    SQLite's own waiting sleeps longer and longer, up to 100 ms after the lock was let go; so it is told to
    wait for a millisecond only, again and again.

    Raises: OperationalError after `WAIT_SECONDS`.
    """
    if own.vendor != "sqlite":
        if own.connection is not None and has_spoken(own.connection):
            own.close()  # the server has ended it: nothing was asked on it yet, so nothing is lost
        return
    if own.connection is None:
        with own.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 1")
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            with own.wrap_database_errors:
                own.connection.execute("BEGIN IMMEDIATE")
            return
        except OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise


def close() -> None:
    """End the connection; the next append opens it again."""
    while _kept:
        _kept.pop().close()


atexit.register(close)
