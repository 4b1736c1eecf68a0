"""Many rows in one statement, by whatever is fastest on each database.

Owns: how rows travel. On SQLite one INSERT with many VALUES; on PostgreSQL one array a column (`unnest`),
from `COPY_ROWS` rows on COPY, both in the binary format with types bound by the server.
Does not own: which rows there are, transactions. Table, column and type names are constants of the callers.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper

if TYPE_CHECKING:
    import psycopg

Row = tuple[Any, ...]

COPY_ROWS = 40
"""Below it a COPY's own round trips cost more than it saves. Measured: docs/adr/0013-bulk-inserts.md."""
_VALUES_ROWS = 500


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` are pairs of a name, quoted where it has to be, and its PostgreSQL type.

    `from_values`: on SQLite, what of a row's values (`column1`, `column2` …) goes into these columns, where
    not each into its own.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    from_values: str = ""

    @property
    def into(self) -> str:
        return f"{self.name} ({', '.join(name for name, _ in self.columns)})"

    @property
    def insert_one(self) -> str:
        return f"INSERT INTO {self.into} VALUES {self.row}"

    @property
    def row(self) -> str:
        return "(" + ", ".join(["%s"] * len(self.columns)) + ")"


def driver(database: BaseDatabaseWrapper) -> Any:
    """The driver's own connection, open. The framework looks into more each time it is asked."""
    if database.connection is None:
        database.ensure_connection()
    return database.connection


def insert(database: BaseDatabaseWrapper, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows, each in the order of the table's columns, inside the caller's transaction."""
    if not rows:
        return
    if database.vendor == "sqlite":
        _values(database, table, rows)
        return
    with database.wrap_database_errors:
        raw: psycopg.Connection = database.connection
        # COPY has no place in a pipeline.
        if len(rows) < COPY_ROWS or raw.pgconn.pipeline_status:
            _unnest(raw, table, rows)
        else:
            _copy(raw, table, rows)


def _values(database: BaseDatabaseWrapper, table: Table, rows: Sequence[Row]) -> None:
    """Many rows a statement: each call gives other threads their turn, and the head lock waits meanwhile.

    By the driver's own cursor: the framework's looks for placeholders in each statement anew.
    """
    _flat(database, table, list(chain.from_iterable(rows)))


def insert_values(database: BaseDatabaseWrapper, table: Table, values: Sequence[Any]) -> None:
    """The same of rows of which all values come one after the other, as they come from another process."""
    if database.vendor == "sqlite":
        _flat(database, table, values)
        return
    insert(database, table, list(zip(*[iter(values)] * len(table.columns), strict=True)))


def _flat(database: BaseDatabaseWrapper, table: Table, values: Sequence[Any]) -> None:
    width = len(table.columns)
    raw = driver(database)
    with database.wrap_database_errors:
        for start in range(0, len(values), width * _VALUES_ROWS):
            chunk = values[start : start + width * _VALUES_ROWS]
            raw.execute(_values_sql(table, len(chunk) // width), chunk)


@lru_cache(1024)
def _values_sql(table: Table, rows: int) -> str:
    row = "(" + ", ".join("?" * len(table.columns)) + ")"
    values = "VALUES " + ", ".join([row] * rows)
    if table.from_values:
        return f"INSERT INTO {table.into} SELECT {table.from_values} FROM ({values})"
    return f"INSERT INTO {table.into} {values}"


def _unnest(raw: psycopg.Connection, table: Table, rows: Sequence[Row]) -> None:
    from psycopg import Cursor

    # A cursor of psycopg's own: the framework's writes values into the text, a byte as two digits.
    with Cursor(raw) as cursor:
        cursor.execute(unnest_sql(table), [list(column) for column in zip(*rows, strict=True)])


@cache
def unnest_sql(table: Table) -> str:
    arrays = ", ".join(f"%b::{kind}[]" for _, kind in table.columns)
    return f"INSERT INTO {table.into} SELECT * FROM unnest({arrays})"


def _copy(raw: psycopg.Connection, table: Table, rows: Sequence[Row]) -> None:
    from psycopg import Cursor

    with (
        Cursor(raw) as cursor,
        cursor.copy(f"COPY {table.into} FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types([kind for _, kind in table.columns])
        for row in rows:
            copy.write_row(row)
