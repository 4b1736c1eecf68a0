"""How the graph's reads talk to the database: raw parameterised SQL, one form for SQLite and PostgreSQL.

Owns: running a query and passing a list of ids or texts as one parameter. Does not own: any query.
Table and column names are constants of the modules that use this; every value is a parameter.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, cast

from django.db import connection

from lineage.graph import sql_dialect

Row = tuple[Any, ...]

PROBE = " LIMIT 1 OFFSET 0"
"""At the end of an EXISTS: look it up for each row, by its index.

Without it PostgreSQL may make a join of it, and read a whole table to ask about a few rows, or for a page
that the first few hundred rows would give. Where all rows are asked about, the join is better.
"""

Sql = tuple[str, list[object]]
"""A piece of SQL with its parameters."""


def fetch(sql: str, params: Sequence[object] = ()) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, cast("Sequence[Any]", params))
        return list(cursor.fetchall())


def id_table(ids: Iterable[int]) -> Sql:
    """A subquery with the column `id`, whose rows are `ids`: one parameter, whatever their number."""
    if connection.vendor == "sqlite":
        return "(SELECT value AS id FROM json_each(%s))", [json.dumps(list(ids))]
    return "(SELECT unnest(%s::bigint[]) AS id)", [sql_dialect.numbers(ids)]


def text_table(texts: Iterable[str]) -> Sql:
    """A subquery with the column `value`, whose rows are `texts`."""
    if connection.vendor == "sqlite":
        return "(SELECT value FROM json_each(%s))", [json.dumps(list(texts))]
    return "(SELECT unnest(%s::text[]) AS value)", [list(texts)]


def one_of(values: Sequence[object]) -> str:
    """Placeholders for `IN`; `values` must not be empty."""
    return "(" + ", ".join(["%s"] * len(values)) + ")"
