"""Rows of the graph tables written by a process of its own, while this one folds the next entries.

Owns: starting that process, handing rows over, that it does not outlive who asked, and that one which ended
before it had written all is an error and never a graph. Does not own: how it writes (`fill_process`), which
rows there are.

It is told everything by a pipe, as the processes of an audit are (`log_audit_crew`): rows are worth a sixth
of what folding an entry costs, and writing them as much as half.
"""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path

import msgspec
from django.db import connection

import lineage
from lineage import processes
from lineage.errors import UnavailableError
from lineage.graph import sql

HEAD_BYTES = 8
"""Before each packet of rows: its size, little-endian. 0: there are no more."""
_SETTINGS = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
_END_SECONDS = 10.0


class Order(msgspec.Struct, frozen=True):
    """What the process is told first, as JSON in one line.

    `database` is the entry of Django's `DATABASES`; `generation` the filling of the tables that its rows
    belong to; `rows` of one transaction; `held`: so many nodes are written together; `indexes`: statements
    to be executed when all rows are there.
    """

    database: dict[str, object]
    generation: int
    rows: int
    held: int
    indexes: tuple[str, ...] = ()


@contextmanager
def writing(order: Order) -> Iterator[Writer]:
    """What has rows inserted; all are in the tables, with indexes, when the block has ended well.

    Its methods, and the end of the block, raise UnavailableError where the process ended, or could not write.
    Where the block is left by an error, what was not written yet is not.
    """
    writer = Writer(order)
    try:
        yield writer
        writer.end()
    finally:
        writer.kill()


class Writer:
    """The process, as the one that gave it an order has it."""

    def __init__(self, order: Order) -> None:
        self._sent, self._over = 0, False
        here = str(Path(lineage.__file__).resolve().parents[1])
        path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lineage.services.fill_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, **_temporary(order.database)},
        )
        self._send(msgspec.json.encode(order) + b"\n")

    def write(self, rows: sql.Rows) -> None:
        """Have rows inserted, some time before the end."""
        for name, values in sql.inserts(rows):
            if values:
                flat = list(chain.from_iterable(values))  # a list of rows takes twice as long to make again
                packet = marshal.dumps((name, flat), 2)  # as version 2 it looks for no object twice
                self._send(len(packet).to_bytes(HEAD_BYTES, "little") + packet)
                self._sent += len(values)

    def over(self) -> None:
        """Say that there are no more rows: indexes are made from here on, and nobody waits for them yet."""
        if not self._over:
            self._send(bytes(HEAD_BYTES))
            self._over = True

    def end(self) -> None:
        """Wait until all is written."""
        self.over()
        assert self._process.stdout is not None
        told = self._process.stdout.readline()
        if told != f"written {self._sent}\n".encode():
            raise self._ended(told)

    def _send(self, content: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(content)
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None

    def _ended(self, heard: bytes = b"") -> UnavailableError:
        assert self._process.stdout is not None
        how = processes.ended(self._process, _END_SECONDS)
        told = (heard + self._process.stdout.read()).decode(errors="replace").strip()
        return UnavailableError(
            f"The process that writes the graph ended {how} before it had written all."
            + (f" It said: {told}" if told else ""),
            hint="The graph is made anew by the next projection.",
        )

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was still to be written to it goes nowhere
                    pipe.close()


def _temporary(database: dict[str, object]) -> dict[str, str]:
    """SQLite sorts into files beside the database: there is room for an index, where `/tmp` may be memory.

    It looks at this once, when a process begins. Source: SQLite, Temporary File Storage Locations.
    """
    if "sqlite" not in str(database["ENGINE"]):
        return {}
    return {"SQLITE_TMPDIR": str(Path(str(database["NAME"])).resolve().parent)}


def database() -> dict[str, object]:
    """How to reach the database of this process's connection, by one of its own: without a pool."""
    told = connection.settings_dict
    options = {name: value for name, value in told["OPTIONS"].items() if name != "pool"}
    return {**{name: str(told[name]) for name in _SETTINGS}, "OPTIONS": options}
