"""Django's SQLite backend, but tests may empty append-only tables between each other."""

from __future__ import annotations

from typing import Any

from django.db.backends.sqlite3.base import DatabaseWrapper as SqliteWrapper
from django.db.backends.sqlite3.operations import DatabaseOperations as SqliteOperations


class DatabaseOperations(SqliteOperations):
    def sql_flush(self, *args: Any, **kwargs: Any) -> list[str]:
        """The flush, with the triggers lifted around it and put back in the same transaction."""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            triggers = cursor.fetchall()
        flush = super().sql_flush(*args, **kwargs)
        return [*(f"DROP TRIGGER {name}" for name, _ in triggers), *flush, *(sql for _, sql in triggers)]


class DatabaseWrapper(SqliteWrapper):
    ops_class = DatabaseOperations
