"""`python -m lineage.services.fill_process`: inserts the rows of a graph that another process makes.

Owns: an `Order` in from standard input, then packets of rows, until it is told that there are no more, then
the indexes of the order. Each transaction first sees that the tables are still those of the order: this
process may outlive who gave it by what it has read. Does not own: which rows, tables and indexes there are.

It imports no application: only the database's driver.
"""

from __future__ import annotations

import gc
import marshal
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Thread
from typing import Any, BinaryIO

import django
import msgspec
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.backends.utils import CursorWrapper

from lineage.db import bulk
from lineage.graph import sql
from lineage.services.fill_writer import HEAD_BYTES, Order

_AHEAD = 16
"""Packets that are read while others are written; one has the rows of a table of some thousand entries."""
_CACHE_KIB = 65_536
"""Of SQLite's pages: those of the nodes' keys are all needed at once."""
_SORTING = "PRAGMA temp_store = FILE; PRAGMA threads = 2; PRAGMA graph.cache_size = -2048"
"""Threads sort what others read, but never in memory; the cache is what one of them sorts at once."""


class LeftError(Exception):
    """Whoever gave the order is gone, or the tables are others' now."""


def main() -> int:
    """Serve one order. Ctrl-C at a terminal reaches who gave it too, and that one ends this."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # rows have no cycles
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    settings.configure(DATABASES={"default": order.database}, INSTALLED_APPS=[])
    django.setup()
    try:
        sys.stdout.write(f"written {_Inserting(order).all()}\n")
    except (DatabaseError, LeftError) as error:
        sys.stdout.write(f"{type(error).__name__}: {error}".replace("\n", " "))
        return 1
    return 0


class _Inserting:
    """Nodes are held back until there are very many: their keys go all over an index, and each transaction
    writes every page of it again that it touches."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._nodes: list[Any] = []
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA graph.cache_size = -{_CACHE_KIB}")

    def all(self) -> int:
        """Insert all rows that come; returns how many."""
        written = 0
        for name, values in _packets(sys.stdin.buffer):
            written += len(values) // _width(name)
            if name == "nodes":
                self._hold(values)
                continue
            most = self._order.rows * _width(name)
            for start in range(0, len(values), most):
                self._insert(name, values[start : start + most])
        self._insert("nodes", self._nodes)
        self._index()
        return written

    def _index(self) -> None:
        if connection.vendor == "sqlite":
            connection.connection.executescript(_SORTING)
        for statement in self._order.indexes:
            with self._ours() as cursor:
                sql.make_index(cursor, statement)

    def _hold(self, nodes: list[Any]) -> None:
        self._nodes += nodes
        if len(self._nodes) >= self._order.held * _width("nodes"):
            self._insert("nodes", self._nodes)
            self._nodes = []

    def _insert(self, name: str, values: list[Any]) -> None:
        with self._ours():
            bulk.insert_values(connection, sql.INSERTS[name], values)

    @contextmanager
    def _ours(self) -> Iterator[CursorWrapper]:
        """A transaction in which the tables are those of the order."""
        with sql.unsynced(connection), connection.cursor() as cursor:
            if not sql.still(cursor, self._order.generation):
                raise LeftError("The graph was emptied while it was made.")
            yield cursor


def _width(name: str) -> int:
    """How many values a row of that field of `sql.Rows` has."""
    return len(sql.INSERTS[name].columns)


def _packets(source: BinaryIO) -> Iterator[tuple[str, list[Any]]]:
    """Field of `sql.Rows` and all values of its rows, one after the other, of each packet.

    Raises: LeftError where they end before they are over.
    """
    read = Queue[tuple[bytes, bytes]](_AHEAD)

    def take() -> None:
        while True:
            head = source.read(HEAD_BYTES)
            packet = source.read(int.from_bytes(head, "little"))
            read.put((head, packet))
            if not packet:
                return

    Thread(target=take, daemon=True).start()
    while True:
        head, packet = read.get()
        if head == bytes(HEAD_BYTES):
            return
        if len(head) < HEAD_BYTES or len(packet) < int.from_bytes(head, "little"):
            raise LeftError("Rows ended before their end was told.")
        yield marshal.loads(packet)  # noqa: S302 from the process that started this one, by a pipe of theirs


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the interpreter would wait for the thread that reads, or fall over it
