"""The rows of configuration from an archive, with the ids that they had.

Owns: how they are inserted, and that the next id of each table follows them. Does not own: which tables there
are and what their columns hold (`backup_tables`).
"""

# ruff: noqa: S608  (only names of tables and columns are formatted into SQL; every value is a parameter)

from __future__ import annotations

from typing import Any

from django.core.management.color import no_style
from django.db import DataError, IntegrityError, connection, models

from lineage.errors import MalformedError
from lineage.services import backup_tables


def insert(model: type[models.Model], lines: list[bytes]) -> None:
    """Rows of one table. Raises: MalformedError where one is none, or contradicts another."""
    quote = connection.ops.quote_name
    names = ", ".join(quote(column) for column in backup_tables.columns(model))
    marks = ", ".join(["%s"] * len(backup_tables.columns(model)))
    rows = [_prepared(model, line) for line in lines]
    table = backup_tables.name(model)
    try:
        with connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {quote(table)} ({names}) VALUES ({marks})", rows)
    except (DataError, IntegrityError) as error:
        raise MalformedError(
            f"The archive's rows of {table} can't be stored: {first_line(error)}."
        ) from error


def _prepared(model: type[models.Model], line: bytes) -> list[Any]:
    """The values as the database takes them. Not through the model, which would write today's date."""
    values = zip(backup_tables.fields(model), backup_tables.read(model, line), strict=True)
    return [field.get_db_prep_save(value, connection) for field, value in values]


def first_line(error: Exception) -> str:
    """What a database says, without the row that it repeats."""
    return str(error).partition("\n")[0]


def continue_ids() -> None:
    """PostgreSQL counts ids apart from the rows; SQLite goes on from the greatest by itself."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(backup_tables.BACKED_UP)):
            cursor.execute(statement)
