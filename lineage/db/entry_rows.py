"""Entries as rows: each predicate type under its number, which the database itself looks up.

Owns: the columns of `log_entry`, giving a type its number, and inserting. Does not own: what an entry is
(`services.log_batch`). Numbers are given under the head lock, or where nobody else can write, so no two get
the same.

No number is remembered outside of the database. What a caller remembers is that a type is listed: were that
wrong, the row would have no number, and the database would refuse it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage.db import bulk
from lineage.db.bulk import Table
from lineage.db.numbered_fields import kind_number

if TYPE_CHECKING:
    from lineage.db.wire import Wire

Row = tuple[int, int, int, str, int, bytes, bytes, bytes, bytes]
"""Of `row`. A row of the table has a number in place of the predicate type."""
_TYPE: Final = 3

ENTRIES = Table(
    "log_entry",
    (
        ('"index"', "int8"),
        ("received_us", "int8"),
        ("policy_index", "int8"),
        ("predicate_type_id", "int4"),
        ("kind", "int2"),
        ("envelope_digest", "bytea"),
        ("statement_digest", "bytea"),
        ("key_ids", "bytea"),
        ("leaf_hash", "bytea"),
    ),
)
"""In this order nothing is left empty between them on PostgreSQL, which begins 8 bytes at a multiple of 8."""

_NAMED = replace(ENTRIES, numbered=(("predicate_type_id", "log_predicate_type", "name"),))
"""Of `Row`."""

_LIST = (
    "INSERT INTO log_predicate_type (id, name)"
    " SELECT (SELECT coalesce(max(id), 0) FROM log_predicate_type)"
    " + row_number() OVER (ORDER BY w.value), w.value"
    " FROM {} AS w WHERE NOT EXISTS (SELECT 1 FROM log_predicate_type t WHERE t.name = w.value)"
)
_LIST_SQLITE = _LIST.format("json_each(?)")
_LIST_POSTGRESQL = _LIST.format("unnest(%b::text[])").replace("AS w", "AS w(value)")
_NUMBERS_POSTGRESQL = "SELECT name, id FROM log_predicate_type WHERE name = ANY(%b::text[])"


def row(
    index: int,
    kind: str,
    envelope_digest: str,
    statement_digest: str,
    received_us: int,
    key_ids: Sequence[str],
    policy_index: int,
    leaf_hash: bytes,
    predicate_type: str,
) -> Row:
    """Digests and key ids are in hex; `predicate_type` is as it is searched by (`log_text.indexed`)."""
    return (
        index,
        received_us,
        policy_index,
        predicate_type,
        kind_number(kind),
        bytes.fromhex(envelope_digest),
        bytes.fromhex(statement_digest),
        bytes.fromhex("".join(key_ids)),
        leaf_hash,
    )


def types(rows: Iterable[Row]) -> set[str]:
    """The predicate types of these rows."""
    return {row[_TYPE] for row in rows}


def insert(database: BaseDatabaseWrapper, rows: Sequence[Row], listed: Collection[str] = ()) -> None:
    """Insert rows inside the caller's transaction. `listed`: types that are known to have a number.

    Raises: IntegrityError for a type that is said to be listed, and is not.
    """
    if not rows:
        return
    new = types(rows).difference(listed)
    with database.wrap_database_errors:
        if new:
            _list(database, new)
        if database.vendor == "sqlite":
            bulk.insert(database, _NAMED, rows)
            return
        numbers = _numbers(database, types(rows))
    found = [(*row[:_TYPE], numbers.get(row[_TYPE]), *row[_TYPE + 1 :]) for row in rows]
    bulk.insert(database, ENTRIES, found)


def send(wire: Wire, rows: Sequence[Row], listed: Collection[str]) -> None:
    """The same by a wire, which tells later what was wrong. No answer is waited for to look numbers up."""
    if new := sorted(types(rows).difference(listed)):
        wire.send(_LIST_POSTGRESQL, [wire.array("text", new)])
    wire.insert(_NAMED, rows)


def _list(database: BaseDatabaseWrapper, names: Collection[str]) -> None:
    """Give numbers to those that have none."""
    if database.vendor == "sqlite":
        bulk.driver(database).execute(_LIST_SQLITE, [msgspec.json.encode(sorted(names)).decode()])
        return
    from psycopg import Cursor

    with Cursor(database.connection) as cursor:
        cursor.execute(_LIST_POSTGRESQL, [sorted(names)])


def _numbers(database: BaseDatabaseWrapper, names: Collection[str]) -> dict[str, int]:
    from psycopg import Cursor

    with Cursor(database.connection) as cursor:
        return dict(cursor.execute(_NUMBERS_POSTGRESQL, [sorted(names)]).fetchall())
