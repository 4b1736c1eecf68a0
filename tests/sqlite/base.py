"""Django's SQLite backend, but tests may empty append-only tables, and watch the driver's own cursors."""

from __future__ import annotations

import shutil
import sqlite3
from typing import Any

from lineage.db.sqlite import graph_file
from lineage.db.sqlite.base import DatabaseWrapper as SqliteWrapper  # isort: split

# After the backend, with which they import each other.
from django.db.backends.sqlite3.creation import DatabaseCreation as SqliteCreation
from django.db.backends.sqlite3.operations import DatabaseOperations as SqliteOperations

from tests.flushes import without_permissions
from tests.sqlite import tables


class DatabaseOperations(SqliteOperations):
    def sql_flush(self, style: Any, tables: Any, **kwargs: Any) -> list[str]:
        """The flush of what holds rows, with those triggers lifted and put back in the same transaction."""
        with self.connection.cursor() as cursor:
            tables = [*tables, *graph_file.tables(self.connection.connection)]
            filled = [f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables]
            cursor.execute(" UNION ALL ".join(filled))
            tables = [table for (table,) in cursor.fetchall()]
            cursor.execute("SELECT name, sql, tbl_name FROM sqlite_master WHERE type = 'trigger'")
            triggers = [(name, sql) for name, sql, table in cursor.fetchall() if table in tables]
        flush = super().sql_flush(style, tables, **kwargs)
        return [*(f"DROP TRIGGER {name}" for name, _ in triggers), *flush, *(sql for _, sql in triggers)]


class DatabaseCreation(SqliteCreation):
    """Begins with a copy of the tables where another process of this run has made them."""

    def create_test_db(self, *args: Any, **kwargs: Any) -> str:
        with tables.alone():
            name = super().create_test_db(*args, **kwargs)
            if not tables.path().exists():
                with self.connection.cursor() as cursor:
                    cursor.execute("VACUUM INTO %s", [str(tables.path())])
        without_permissions()
        return name

    def _create_test_db(self, *args: Any, **kwargs: Any) -> str:
        name: str = super()._create_test_db(*args, **kwargs)  # type: ignore[misc]  # not in the stubs
        if tables.path().exists():
            shutil.copyfile(tables.path(), name)
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
    durable = False
    """Whether commits wait for the disk, as the product's do: many small ones, and no test pulls the plug."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        if not self.durable:
            connection.execute("PRAGMA synchronous = OFF")
            if self._graph is not None:
                connection.execute("PRAGMA graph.synchronous = OFF")
        return connection

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "factory": Connection}
