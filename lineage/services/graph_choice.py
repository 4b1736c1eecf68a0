"""Which graph backend answers a question, and why.

Owns: the rules. The closure index answers where this process has one that is as far as the moment. Else Neo4j
does where one is configured, answers in time, and has followed the log far enough; else the database's own
tables. Whoever asked is told so by the answer's `backend`. Does not own: the questions (`lineage_closure`,
`lineage_whole`), or feeding either backend.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from threading import Lock
from typing import TypeVar

from lineage.config import current
from lineage.db.models import Entry, LogHead
from lineage.errors import NotFoundError, UnavailableError
from lineage.graph.backend import Backend
from lineage.graph.index import door as closure_index
from lineage.graph.sql_backend import IndexBackend, SqlBackend
from lineage.services.as_of import AsOf
from lineage.services.clock import now_us

log = logging.getLogger(__name__)

LONGEST_LAG_SECONDS = 5.0
"""A backend whose oldest missing entry has been waiting for longer does not answer."""
REST_SECONDS = 5.0
"""How long a backend that failed is left alone by this process before it is asked again."""

Answer = TypeVar("Answer")
_sql = SqlBackend()


@dataclass(frozen=True, slots=True)
class BackendState:
    """`lag` in entries; `lag_seconds` since the oldest entry that it lacks was received, 0 when level.

    `answers`: questions about now go to it. `reason` says why not; empty where it does.
    """

    name: str
    up: bool
    answers: bool
    projected: int
    lag: int
    lag_seconds: float
    reason: str


class _Rest:
    """After a failure one caller at a time tries again; the others don't wait for it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._until = 0.0
        self.reason = ""

    def over(self) -> bool:
        """Whether the caller may ask. If it had failed, nobody else may until this attempt is decided."""
        with self._lock:
            if not self.reason:
                return True
            if time.monotonic() < self._until:
                return False
            self._until = time.monotonic() + REST_SECONDS
            return True

    def failed(self, reason: str) -> None:
        with self._lock:
            first, self.reason = not self.reason, reason
            self._until = time.monotonic() + REST_SECONDS
        if first:
            log.warning("Neo4j does not answer, the database's tables do meanwhile: %s", reason)

    def worked(self) -> None:
        if not self.reason:
            return
        with self._lock:
            self.reason = ""
        log.info("Neo4j answers again.")


_rest = _Rest()


def answer(
    as_of: AsOf,
    question: Callable[[Backend, AsOf], Answer],
    *,
    by_index: bool = True,
) -> Answer:
    """Ask the closure index, or Neo4j where it can know, else the database's tables.

    The moment that `question` gets says how far the backend has followed the log; a question about now is
    about what both the backend and the status tables have. `by_index`: whether the index may answer.
    """
    if by_index and closure_index.ready(as_of.size) is not None:
        return in_database(as_of, question)
    backend = neo4j()
    if backend is not None and _rest.over():
        try:
            moment = _moment(backend, as_of)
            _rest.worked()
            if moment is not None:
                return _ask(backend, moment, as_of, question)
        except UnavailableError as error:
            _rest.failed(error.message)
    return question(_sql, as_of)


def in_database(as_of: AsOf, question: Callable[[SqlBackend, AsOf], Answer]) -> Answer:
    """Ask the closure index, else the database's tables: statuses and deployments' ends are there alone."""
    ready = closure_index.ready(as_of.size)
    if ready is not None:
        indexed = IndexBackend(ready)
        found = question(indexed, as_of)
        if indexed.still_holds():
            return found
    return question(_sql, as_of)


def _ask(backend: Backend, moment: AsOf, as_of: AsOf, question: Callable[[Backend, AsOf], Answer]) -> Answer:
    """The backend's answer, unless it lacks a node because it is a little behind: then that of the tables."""
    try:
        return question(backend, moment)
    except NotFoundError:
        if moment.size >= as_of.size:
            raise
    return question(_sql, as_of)


def _moment(backend: Backend, as_of: AsOf) -> AsOf | None:
    """The moment as this backend can answer it; None where it is too far behind."""
    projected = backend.projected()
    if not as_of.live:
        return replace(as_of, projected=projected) if projected >= as_of.size else None
    if projected < as_of.head and _waiting_seconds(projected) > LONGEST_LAG_SECONDS:
        return None
    return replace(as_of, projected=projected, size=min(as_of.size, projected))


def _waiting_seconds(projected: int) -> float:
    """Since the entry at index `projected` was received; 0 where there is none."""
    received = Entry.objects.values_list("received_us", flat=True).filter(pk=projected).first()
    return 0.0 if received is None else max(0.0, (now_us() - received) / 1_000_000)


@cache
def neo4j() -> Backend | None:
    """The Neo4j backend of this process, or None where none is configured."""
    config = current()
    if config.graph is None:
        return None
    from lineage.graph.neo4j.backend import Neo4jBackend

    return Neo4jBackend(config.graph)


def followed() -> int:
    """Entries below this index are in every backend; 0 where one of them can't say."""
    graph, tables = neo4j(), _sql.projected()
    if graph is None:
        return tables
    if not _rest.over():
        return 0
    try:
        projected = graph.projected()
    except UnavailableError as error:
        _rest.failed(error.message)
        return 0
    _rest.worked()
    return min(tables, projected)


def condition() -> list[BackendState]:
    """The state of each backend, the one that is preferred first. Asks Neo4j; never raises for it."""
    head = LogHead.objects.values_list("size", flat=True).filter(pk=1).first() or 0
    tables = _state(_sql, head)
    graph = neo4j()
    if graph is None:
        return [tables]
    try:
        preferred = _state(graph, head)
    except UnavailableError as error:
        preferred = BackendState(graph.name, False, False, 0, head, 0.0, error.message)
    if not preferred.answers:
        return [preferred, tables]
    return [preferred, replace(tables, answers=False, reason="Neo4j answers; these keep statuses and names.")]


def _state(backend: Backend, head: int) -> BackendState:
    projected = backend.projected()
    waiting = _waiting_seconds(projected) if projected < head else 0.0
    behind = backend.name != "sql" and waiting > LONGEST_LAG_SECONDS
    reason = f"It is {head - projected} entries behind the log, for {waiting:.0f} s." if behind else ""
    return BackendState(backend.name, True, not behind, projected, head - projected, waiting, reason)
