"""A cursor without the framework's layers, for statements that cost less than what it does around each.

Owns: SQLite's own cursor, that takes `%s` for a parameter's place as the framework's does, and raises the
framework's errors. PostgreSQL has the framework's. So has whoever watches statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper


def itself(database: BaseDatabaseWrapper) -> BaseDatabaseWrapper:
    """The connection of this thread, where `django.db.connection` would look for it at each word."""
    own: BaseDatabaseWrapper = database.wrap_database_errors.wrapper  # type: ignore[attr-defined]
    return own


def cursor(database: BaseDatabaseWrapper) -> CursorWrapper:
    """To be closed by its block, as `database.cursor()`."""
    database = itself(database)
    if database.vendor != "sqlite" or database.queries_logged or database.execute_wrappers:
        return database.cursor()
    database.ensure_connection()
    return _Direct(database.connection.cursor(), database)


class _Direct(CursorWrapper):
    def execute(self, sql: str, params: Sequence[Any] | None = None) -> Any:  # type: ignore[override]
        with self.db.wrap_database_errors:
            return self.cursor.execute(placed(sql), () if params is None else params)

    def executemany(self, sql: str, param_list: Sequence[Any]) -> Any:  # type: ignore[override]
        with self.db.wrap_database_errors:
            return self.cursor.executemany(placed(sql), param_list)


@lru_cache(512)
def placed(sql: str) -> str:
    """With SQLite's own places for parameters."""
    return sql.replace("%s", "?").replace("%%", "%")
