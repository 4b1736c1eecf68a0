"""The connection to Neo4j: one driver a process, bounded in time and attempts, errors in plain words.

Owns: the driver's life, transactions, timeouts. Does not own: any query (`queries`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

import neo4j
from neo4j.exceptions import (
    AuthError,
    ConfigurationError,
    ConnectionAcquisitionTimeoutError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
)

from lineage import tracing
from lineage.errors import UnavailableError
from lineage.graph.neo4j.queries import Query
from lineage.service_urls import Bolt

CONNECT_SECONDS = 3.0
ACQUIRE_SECONDS = 5.0
"""How long a caller waits for a connection, a new one included."""
READ_SECONDS = 10.0
"""After which the server gives up a question."""
WRITE_SECONDS = 120.0
"""After which the server rolls a batch back."""
RETRY_SECONDS = 1.5
"""How long a transaction is tried again after a broken connection or a deadlock."""
POOL_SIZE = 32
"""Connections of one process: more than a web process has threads."""

T = TypeVar("T")
Row = list[Any]


class ContradictedError(Exception):
    """What is stored breaks a constraint that is to be made. Its caller empties the graph."""


class Transaction:
    """What a unit of work gets: it runs queries of `queries`, and nothing else."""

    def __init__(self, inner: neo4j.ManagedTransaction) -> None:
        self._inner = inner

    def rows(self, query: Query, **parameters: object) -> list[Row]:
        """All rows, each a list of the columns' values."""
        return self._inner.run(query.text, given(parameters)).values()

    def first(self, query: Query, **parameters: object) -> Row | None:
        rows = self.rows(query, **parameters)
        return rows[0] if rows else None

    def change(self, query: Query, **parameters: object) -> tuple[Row | None, neo4j.SummaryCounters]:
        """The first row, and what was created and deleted."""
        result = self._inner.run(query.text, given(parameters))
        rows = result.values()
        return (rows[0] if rows else None), result.consume().counters


class Client:
    """One Neo4j database. Cheap to make; all of a process share one driver for each address and password."""

    def __init__(self, bolt: Bolt) -> None:
        self.bolt = bolt

    def read(self, work: Callable[[Transaction], T], *, seconds: float = READ_SECONDS) -> T:
        """Run `work` in one read transaction. It may run again: it must have no other effects.

        Raises: UnavailableError with the reason, never with an address or password.
        """
        with self._session(neo4j.READ_ACCESS) as session:
            return session.execute_read(_bounded(work, seconds))

    def write(self, work: Callable[[Transaction], T], *, seconds: float = WRITE_SECONDS) -> T:
        """Run `work` in one write transaction: committed where `work` returns, rolled back where it raises.

        Raises: UnavailableError; after that, whether it was committed may be unknown.
        """
        with self._session(neo4j.WRITE_ACCESS) as session:
            return session.execute_write(_bounded(work, seconds))

    def define(self, query: Query) -> None:
        """Run a statement about the schema, which can't share a transaction with data.

        Raises: ContradictedError for a constraint that what is stored breaks; UnavailableError.
        """
        with self._session(neo4j.WRITE_ACCESS) as session:
            try:
                session.run(neo4j.Query(query.text, timeout=WRITE_SECONDS)).consume()
            except Neo4jError as error:
                if (error.code or "").endswith("ConstraintCreationFailed"):
                    raise ContradictedError from error
                raise

    def plan(self, query: Query, **parameters: object) -> list[str]:
        """The operators of the query's plan, from the result down to the start. It is not run."""
        with self._session(neo4j.READ_ACCESS) as session:
            explained = neo4j.Query("EXPLAIN " + query.text, timeout=READ_SECONDS)
            found = session.run(explained, given(parameters)).consume().plan
        return list(_operators(found or {}))

    @contextmanager
    def _session(self, access: str) -> Iterator[neo4j.Session]:
        with (
            tracing.span("lineage.neo4j", access=access),
            told_plainly(),
            _driver(self.bolt).session(default_access_mode=access) as session,
        ):
            yield session


def given(parameters: Mapping[str, object]) -> dict[str, object]:
    """The parameters as the texts name them: strings and lists as `$given.name`, others as `$name`.

    Neo4j plans a text again for each order of magnitude that the length of a string or list has; it looks
    into no map.
    """
    sized = {name: value for name, value in parameters.items() if isinstance(value, str | list)}
    return {name: value for name, value in parameters.items() if name not in sized} | {"given": sized}


def _bounded(work: Callable[[Transaction], T], seconds: float) -> Callable[[neo4j.ManagedTransaction], T]:
    @neo4j.unit_of_work(timeout=seconds)
    def run(inner: neo4j.ManagedTransaction) -> T:
        return work(Transaction(inner))

    return run


def _operators(plan: dict[str, Any]) -> Iterator[str]:
    """The part after `@` names the database; without it."""
    if plan:
        yield str(plan["operatorType"]).partition("@")[0]
        for child in plan.get("children", ()):
            yield from _operators(child)


_lock = Lock()
_drivers: dict[tuple[int, Bolt], neo4j.Driver] = {}


def _driver(bolt: Bolt) -> neo4j.Driver:
    """This process's driver. After a fork the child makes its own.

    The parent's stays in the dict untouched: closing it in the child would end the parent's connections.
    """
    mine = (os.getpid(), bolt)
    with _lock:
        if mine not in _drivers:
            _drivers[mine] = neo4j.GraphDatabase.driver(
                bolt.uri,
                auth=(bolt.user, bolt.password),
                connection_timeout=CONNECT_SECONDS,
                connection_acquisition_timeout=ACQUIRE_SECONDS,
                max_transaction_retry_time=RETRY_SECONDS,
                initial_retry_delay=0.05,
                max_connection_pool_size=POOL_SIZE,
                keep_alive=True,
                notifications_min_severity="OFF",
                telemetry_disabled=True,
            )
        return _drivers[mine]


def close() -> None:
    """Close this process's drivers; the next question opens a new one."""
    with _lock:
        for pid, bolt in list(_drivers):
            if pid == os.getpid():
                _drivers.pop((pid, bolt)).close()


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn each of the driver's errors into an UnavailableError that an operator understands."""
    try:
        yield
    except (DriverError, Neo4jError, OSError) as error:
        raise UnavailableError(_reason(error)) from error


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (AuthError, "Neo4j refuses the user or password of LINEAGE_GRAPH_URL."),
    (ConfigurationError, "LINEAGE_GRAPH_URL can't be used: the address, TLS or the server's kind is wrong."),
    (ConnectionAcquisitionTimeoutError, "No connection to Neo4j became free in time."),
    (ServiceUnavailable, "Neo4j can't be reached."),
    (SessionExpired, "Neo4j can't be reached."),
    (OSError, "Neo4j can't be reached."),
)


def _reason(error: Exception) -> str:
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    if isinstance(error, Neo4jError):
        code = error.code or "no code"
        if "TransactionTimedOut" in code:
            return "Neo4j did not answer in time."
        return f"Neo4j refused the question ({code})."
    return f"The connection to Neo4j failed ({type(error).__name__})."
