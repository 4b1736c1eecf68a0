"""Statements to PostgreSQL by libpq itself: several a round trip, prepared once, parameters in binary.

Psycopg's cursors do the same for any type and any program, for 60 to 100 µs of CPU a statement. An append of
a few entries has eight of them, which cost more than verifying what is appended
(docs/adr/0013-bulk-inserts.md).

Owns: how such statements and their rows travel, and that an error of the server is raised as Psycopg does.
Does not own: connections (`services.log_connection`), transactions beyond sending their words, what is sent.
Source: PostgreSQL, "Pipeline Mode" (libpq), "Binary format of arrays" (`array_send`); psycopg, "pq".
"""

from __future__ import annotations

import re
import select
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any

from psycopg import OperationalError, errors, pq

from lineage.db.bulk import Row, Table, few_sql, unnest_sql

if TYPE_CHECKING:
    import psycopg

Parameter = bytes | int | str | None
"""In binary (an `array`, a bytea or text), or a number, which travels as text; None is NULL."""
FEW_ROWS = 4
"""As many are inserted value by value, by a statement for each number of rows; more as arrays."""

_INT2, _INT4, _INT8 = struct.Struct(">ih"), struct.Struct(">ii"), struct.Struct(">iq")
_LENGTH, _ARRAY = struct.Struct(">i"), struct.Struct(">iiiii")
_NULL = _LENGTH.pack(-1)
_OIDS = {"bytea": 17, "int2": 21, "int4": 23, "int8": 20, "text": 25}
_NUMBERS: dict[str, Callable[[int], bytes]] = {
    "int2": lambda value: _INT2.pack(2, value),
    "int4": lambda value: _INT4.pack(4, value),
    "int8": lambda value: _INT8.pack(8, value),
}
_READ: dict[int, Callable[[bytes], Any]] = {
    17: bytes,
    20: lambda data: int.from_bytes(data, "big", signed=True),
    21: lambda data: int.from_bytes(data, "big", signed=True),
    23: lambda data: int.from_bytes(data, "big", signed=True),
    25: lambda data: data.decode(),
    1043: lambda data: data.decode(),
}
"""By the type's number: bytea, the integers, text, varchar. Source: pg_type.dat."""
_PLACE = re.compile("%[bs]")
_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


def array(kind: str, values: Sequence[Any]) -> bytes:
    """A one-dimensional array of `kind` (bytea, int2, int4, int8, text) in binary; None is NULL."""
    number = _NUMBERS.get(kind)
    if number is not None:
        parts = [_NULL if value is None else number(value) for value in values]
    else:
        parts = []
        for value in values:
            data = value.encode() if isinstance(value, str) else value
            parts.append(_NULL if data is None else _LENGTH.pack(len(data)) + data)
    if not parts:
        return _ARRAY.pack(0, 0, _OIDS[kind], 0, 0)[:12]
    return _ARRAY.pack(1, int(_NULL in parts), _OIDS[kind], len(parts), 1) + b"".join(parts)


class Wire:
    """One connection, which nobody else uses between `send` and `received`."""

    array = staticmethod(array)

    def __init__(self, raw: psycopg.Connection) -> None:
        self._libpq = raw.pgconn
        self._poll = select.poll()
        self._prepared: dict[str, bytes] = {}
        self._numbers = count(1)
        self._sent: list[bool] = []
        """Of each command since `received`: whether its rows are wanted."""
        self._last = b""
        """What the server says that the last command did."""

    def send(self, sql: str, parameters: Sequence[Parameter] = (), *, rows: bool = False) -> None:
        """Send one statement, without waiting for its answer. `%b` and `%s` are its parameters' places.

        Raises: psycopg.OperationalError where the connection is lost.
        """
        if not self._sent:
            self._libpq.enter_pipeline_mode()
        name = self._prepared.get(sql)
        if name is None:
            name = self._prepared[sql] = b"lineage_%d" % next(self._numbers)
            self._libpq.send_prepare(name, _numbered(sql))
            self._sent.append(False)
        values = [
            b"%d" % each if isinstance(each, int) else each.encode() if isinstance(each, str) else each
            for each in parameters
        ]
        # Text too: as text it would end at its first zero byte, which the server is to refuse.
        binary = [int(not isinstance(each, int)) for each in parameters]
        self._libpq.send_query_prepared(name, values, param_formats=binary, result_format=1)
        self._sent.append(rows)

    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Send an INSERT of all rows, each in the order of the table's columns."""
        if 0 < len(rows) <= FEW_ROWS:
            self.send(few_sql(table, len(rows)), [value for row in rows for value in row])
        elif rows:
            columns = zip(*rows, strict=True)
            arrays = [array(kind, column) for kind, column in zip(table.kinds, columns, strict=True)]
            self.send(unnest_sql(table), arrays)

    def received(self) -> list[list[Row]]:
        """Wait for the answers to all that was sent; the rows of each statement whose rows are wanted.

        Raises: what Psycopg raises for the first statement that failed. What was sent after it did nothing.
        """
        self._libpq.pipeline_sync()
        self._flush()
        found: list[list[Row]] = []
        failed: pq.abc.PGresult | None = None
        answered = 0
        while (result := self._result()).status != pq.ExecStatus.PIPELINE_SYNC:
            if result.status in _DONE:
                self._last = result.command_status or b""
                if self._sent[answered]:
                    found.append(_rows(result))
            elif failed is None:
                failed = result
            answered += 1
        self._sent.clear()
        self._libpq.exit_pipeline_mode()
        if failed is not None:
            raise errors.error_from_result(failed)
        return found

    def commit(self) -> None:
        """Send COMMIT behind what was sent, and wait until all of it is durable.

        Raises: as `received`; psycopg.OperationalError where the server rolled back instead.
        """
        self.send("COMMIT")
        self.received()
        if self._last != b"COMMIT":  # what PostgreSQL answers where an earlier statement had failed
            raise OperationalError("the transaction was not committed")

    def _result(self) -> pq.abc.PGresult:
        """The next answer. Each but that to the end of the pipeline is followed by nothing, left out here."""
        while True:
            while self._libpq.is_busy():
                self._wait(select.POLLIN)
                self._libpq.consume_input()
            if (result := self._libpq.get_result()) is not None:
                return result
            if self._libpq.status != pq.ConnStatus.OK:
                raise OperationalError(self._libpq.get_error_message())

    def _flush(self) -> None:
        while self._libpq.flush():
            if self._wait(select.POLLIN | select.POLLOUT) & select.POLLIN:
                self._libpq.consume_input()

    def _wait(self, events: int) -> int:
        """Which of them is there."""
        self._poll.register(self._libpq.socket, events)
        ((_, found),) = self._poll.poll()
        return found


def _rows(result: pq.abc.PGresult) -> list[Row]:
    read = [_READ[result.ftype(column)] for column in range(result.nfields)]
    return [
        tuple(
            None if (data := result.get_value(row, column)) is None else convert(data)
            for column, convert in enumerate(read)
        )
        for row in range(result.ntuples)
    ]


@lru_cache(64)
def _numbered(sql: str) -> bytes:
    """With PostgreSQL's own places for parameters."""
    numbers = count(1)
    return _PLACE.sub(lambda _: f"${next(numbers)}", sql).encode()
