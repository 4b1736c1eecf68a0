"""Queries that many answers rest on, planned once a connection and asked without the framework's layers.

For a query of several tables PostgreSQL plans four times as long as it looks, and what the framework does
around it takes as long as SQLite. Owns: how such a query travels. Does not own: any query, transactions.
Whoever watches statements (tests do) sees these too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from django.db import DEFAULT_DB_ALIAS, connections

from lineage.db.direct import placed

if TYPE_CHECKING:
    import psycopg

Row = tuple[Any, ...]


def fetch(sql: str, params: Sequence[object] = (), *, size: int = 0) -> list[Row]:
    """All rows. `%s` is a parameter's place.

    `size`: about how much the tables hold. A plan is made anew whenever that has doubled, because one for
    small tables would go through the whole of large ones.
    Raises: the framework's errors.
    """
    database = connections[DEFAULT_DB_ALIAS]  # looked up once: which thread's it is takes as long as a row
    if database.queries_logged or database.execute_wrappers:
        with database.cursor() as cursor:
            cursor.execute(sql, cast("Sequence[Any]", params))
            return list(cursor.fetchall())
    database.ensure_connection()
    with database.wrap_database_errors:
        if database.vendor == "sqlite":
            return list(database.connection.execute(placed(sql), params).fetchall())
        return _planned(database.connection, f"{sql} /* {size.bit_length()} */", params)


def _planned(raw: psycopg.Connection, sql: str, params: Sequence[object]) -> list[Row]:
    from psycopg import Cursor

    # For this cursor alone: the framework's writes values into the text, so each would be another plan.
    before, raw.prepare_threshold = raw.prepare_threshold, 0
    try:
        with Cursor(raw) as cursor:
            return cursor.execute(sql, params, binary=True).fetchall()
    finally:
        raw.prepare_threshold = before
