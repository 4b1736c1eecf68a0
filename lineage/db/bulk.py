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

    `numbered`: (column, other table, column there) for columns of which a row has a text, and the database
    its number in that other table; a text that is not in it has none.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    numbered: tuple[tuple[str, str, str], ...] = ()

    @property
    def into(self) -> str:
        return f"{self.name} ({', '.join(name for name, _ in self.columns)})"

    @property
    def insert_one(self) -> str:
        return f"INSERT INTO {self.into} VALUES {self.row}"

    @property
    def row(self) -> str:
        return "(" + ", ".join(["%s"] * len(self.columns)) + ")"

    @property
    def kinds(self) -> tuple[str, ...]:
        """PostgreSQL's types of what a row has."""
        numbered = {column for column, _, _ in self.numbered}
        return tuple("text" if name in numbered else kind for name, kind in self.columns)

    def picked(self, given: Sequence[str]) -> str:
        """What goes into the columns, of a row that is `given` as expressions."""
        places = {column: f"(SELECT id FROM {table} WHERE {name} = " for column, table, name in self.numbered}
        pairs = zip(self.columns, given, strict=True)
        return ", ".join(f"{places[name]}{each})" if name in places else each for (name, _), each in pairs)


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
    if table.numbered:
        picked = table.picked([f"column{number}" for number, _ in enumerate(table.columns, 1)])
        return f"INSERT INTO {table.into} SELECT {picked} FROM ({values})"
    return f"INSERT INTO {table.into} {values}"


def _unnest(raw: psycopg.Connection, table: Table, rows: Sequence[Row]) -> None:
    from psycopg import Cursor

    # A cursor of psycopg's own: the framework's writes values into the text, a byte as two digits.
    with Cursor(raw) as cursor:
        cursor.execute(unnest_sql(table), [list(column) for column in zip(*rows, strict=True)])


@cache
def unnest_sql(table: Table) -> str:
    arrays = ", ".join(f"%b::{kind}[]" for kind in table.kinds)
    names = [f"c{number}" for number, _ in enumerate(table.columns)]
    picked = table.picked([f"w.{name}" for name in names])
    return f"INSERT INTO {table.into} SELECT {picked} FROM unnest({arrays}) AS w({', '.join(names)})"


@lru_cache(256)
def few_sql(table: Table, rows: int) -> str:
    """For PostgreSQL, each value by itself: a tenth of the work that as many arrays are, for a row or two."""
    row = table.picked([f"%s::{kind}" for kind in table.kinds])
    return f"INSERT INTO {table.into} VALUES " + ", ".join([f"({row})"] * rows)


def _copy(raw: psycopg.Connection, table: Table, rows: Sequence[Row]) -> None:
    from psycopg import Cursor

    with (
        Cursor(raw) as cursor,
        cursor.copy(f"COPY {table.into} FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types([kind for _, kind in table.columns])
        for row in rows:
            copy.write_row(row)
