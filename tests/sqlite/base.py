"""Django's SQLite backend, but tests may empty append-only tables, and watch the driver's own cursors."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.db.backends.sqlite3.base import DatabaseWrapper as SqliteWrapper
from django.db.backends.sqlite3.creation import DatabaseCreation as SqliteCreation
from django.db.backends.sqlite3.operations import DatabaseOperations as SqliteOperations

from tests.flushes import without_permissions


class DatabaseOperations(SqliteOperations):
    def sql_flush(self, *args: Any, **kwargs: Any) -> list[str]:
        """The flush, with the triggers lifted around it and put back in the same transaction."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = cursor.fetchall()
        flush = super().sql_flush(*args, **kwargs)
        return [*(f"DROP TRIGGER {name}" for name, _ in triggers), *flush, *(sql for _, sql in triggers)]


class DatabaseCreation(SqliteCreation):
    def create_test_db(self, *args: Any, **kwargs: Any) -> str:
        name = super().create_test_db(*args, **kwargs)
        without_permissions()
        return name


class Cursor(sqlite3.Cursor):
    """The driver's own, as a class whose methods can be replaced for a while."""


class Connection(sqlite3.Connection):
    """Whoever passes by the framework gets such a cursor."""

    def execute(self, sql: str, parameters: Any = ()) -> Any:
        return self.cursor().execute(sql, parameters)

    def cursor(self, factory: Any = Cursor) -> Any:
        return super().cursor(factory)


class DatabaseWrapper(SqliteWrapper):
    ops_class = DatabaseOperations
    creation_class = DatabaseCreation

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "factory": Connection}
