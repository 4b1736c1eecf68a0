"""Faults at every write of an operation, put in at the database connection.

Owns: where the writes are, and failing before or after one of them. The product knows nothing of it: on
SQLite each statement passes through the framework's cursor or the driver's, on PostgreSQL through psycopg's.
"""

from __future__ import annotations

import os
import re
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import psycopg
import pytest
from django.db import OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from lineage.services import log_connection
from tests.sqlite.base import Cursor

_WRITE = re.compile(
    r"\s*(INSERT(?: OR IGNORE)? INTO|UPDATE|DELETE FROM|COPY|BEGIN|SELECT|LOCK TABLE)\b\s*\"?(\w*)",
    re.IGNORECASE,
)
_LOCK = re.compile(r'FROM "?(\w+)"?.*FOR UPDATE', re.IGNORECASE | re.DOTALL)
Act = Callable[[], Any]


def _label(sql: Any) -> str:
    """`INSERT INTO log_entry`; empty for what writes and locks nothing."""
    text = sql.decode() if isinstance(sql, bytes) else str(sql)
    if text == "COMMIT":
        return text  # said by a cursor, and not by the framework
    found = _WRITE.match(text)
    if found is None:
        return ""
    if found[1].upper() == "SELECT":
        lock = _LOCK.search(text)
        return f"lock {lock[1]}" if lock else ""
    verb = found[1].upper().replace(" OR IGNORE", "").replace("LOCK TABLE", "lock")
    return f"{verb} {found[2]}".strip() if verb != "BEGIN" else "BEGIN"


class Points:
    """Counts the writes that pass, and does something before or after the one that is chosen."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._chosen = -1
        self._after = False
        self._fault: Act | None = None

    def choose(self, number: int, *, after: bool, fault: Act) -> None:
        self._chosen, self._after, self._fault = number, after, fault

    def passing(self, label: str, go: Act) -> Any:
        if not label:
            return go()
        number = len(self.seen)
        self.seen.append(label)
        if number != self._chosen or self._fault is None:
            return go()
        if not self._after:
            self._fault()
        answer = go()
        if self._after:
            self._fault()
        return answer


@contextmanager
def watched() -> Iterator[Points]:
    """Every write of this process in the block, on whichever connection."""
    points = Points()
    with pytest.MonkeyPatch.context() as patch:
        owners: tuple[Any, ...] = (
            (CursorWrapper, Cursor) if connection.vendor == "sqlite" else (psycopg.Cursor,)
        )
        for owner in owners:
            for name in ("execute", "executemany", "copy"):
                if hasattr(owner, name):
                    patch.setattr(owner, name, _passing(points, getattr(owner, name)))
        real = BaseDatabaseWrapper._commit  # type: ignore[attr-defined]  # not in the stubs

        def commit(self: Any) -> Any:
            return points.passing("COMMIT", lambda: real(self))

        patch.setattr(BaseDatabaseWrapper, "_commit", commit)
        if connection.vendor == "postgresql":
            _watch_wire(patch, points)
        yield points


def _watch_wire(patch: pytest.MonkeyPatch, points: Points) -> None:
    """What an append sends without a cursor."""
    from lineage.db.wire import Wire

    commits, sends = Wire.commit, _passing(points, Wire.send)
    only_sends = Wire.send

    def send(self: Wire, sql: str, *args: Any, **kwargs: Any) -> Any:
        return (only_sends if sql == "COMMIT" else sends)(self, sql, *args, **kwargs)

    patch.setattr(Wire, "send", send)
    patch.setattr(Wire, "commit", lambda self: points.passing("COMMIT", lambda: commits(self)))


def _passing(points: Points, real: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, sql: Any, *args: Any, **kwargs: Any) -> Any:
        return points.passing(_label(sql), lambda: real(self, sql, *args, **kwargs))

    return call


def fail() -> NoReturn:
    """What a database says that is going away."""
    raise OperationalError("the disk is full, or the server has gone")


def killed(act: Act, number: int, *, after: bool) -> bool:
    """Do `act` in a process of its own that is killed at that write; whether it came so far."""
    _, status = os.waitpid(_child(act, number, after, signal.SIGKILL), 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


@contextmanager
def frozen(act: Act, number: int) -> Iterator[Callable[[], bool]]:
    """Do `act` in a process of its own that is stopped before that write, for the time of the block.

    What is given wakes it up, waits for its end, and says whether `act` raised nothing there.
    """
    child = _child(act, number, False, signal.SIGSTOP)
    ended: list[int] = []

    def wake() -> bool:
        os.kill(child, signal.SIGCONT)
        ended.append(os.waitpid(child, 0)[1])
        return os.WIFEXITED(ended[0]) and os.WEXITSTATUS(ended[0]) == 0

    try:
        _, status = os.waitpid(child, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"it ended before write {number}"
        yield wake
    finally:
        if not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _child(act: Act, number: int, after: bool, number_of_signal: signal.Signals) -> int:
    """The id of a process that sends itself the signal at that write, or ends, with 0 where `act` did it."""
    connections.close_all()
    log_connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]  # its threads would not be in the child
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, none of which holds a lock now
        child = os.fork()
    if child:
        return child
    outcome = 3
    try:
        with watched() as points:
            points.choose(number, after=after, fault=lambda: os.kill(os.getpid(), number_of_signal))
            act()
            outcome = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(outcome)


def settled() -> None:
    """Return once PostgreSQL has ended what a killed process had begun."""
    if connection.vendor != "postgresql":
        return
    connections.close_all()
    sql = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            (left,) = cursor.fetchone()
        if not left:
            return
        time.sleep(0.005)
