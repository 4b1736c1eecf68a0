"""Django's PostgreSQL backend, but tests may empty append-only tables between each other."""

from __future__ import annotations

import gc
from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql.creation import DatabaseCreation as PostgresqlCreation
from django.db.backends.postgresql.operations import DatabaseOperations as PostgresqlOperations

from lineage.db.postgresql.base import DatabaseWrapper as PostgresqlWrapper
from tests.flushes import without_permissions

_CONNECTED = (
    "SELECT application_name, backend_type, state, backend_start, query"
    " FROM pg_stat_activity WHERE datname = %s"
)


class DatabaseOperations(PostgresqlOperations):
    def sql_flush(self, style: Any, tables: Any, **kwargs: Any) -> list[str]:
        """The flush, with the triggers silent around it, in the same transaction.

        DELETE, because TRUNCATE makes each table and index a new file, which takes longer than a test. But
        not of many rows: the pages that they leave would make the planner take the next test's for a handful.
        """
        guarded = [self.quote_name(table) for table in tables if table.startswith("log_")]
        flush = [
            "SET LOCAL synchronous_commit = off",
            *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in guarded),
            "SET CONSTRAINTS ALL DEFERRED",
            *(f"DELETE FROM {self.quote_name(table)}" for table in tables),
            *(f"TRUNCATE {self.quote_name(table)}" for table in self._large()),
            *(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}" for table, name in self._triggers()),
        ]
        return ["; ".join(flush)]  # one round trip

    def _large(self) -> list[str]:
        with self.connection.cursor() as cursor:
            cursor.execute(
                "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_relation_size(oid) > 200000"
                " AND (starts_with(relname, 'log_') OR starts_with(relname, 'graph_'))"
            )
            return [str(name) for (name,) in cursor.fetchall()]

    def _triggers(self) -> list[tuple[str, str]]:
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal")
            return [(str(table), str(name)) for table, name in cursor.fetchall()]


class DatabaseCreation(PostgresqlCreation):
    def create_test_db(self, *args: Any, **kwargs: Any) -> str:
        """Leaves out what only disturbs here.

        Autovacuum would count the rows of a test that has just gone, and the planner would take the next
        one's for one.
        """
        name = super().create_test_db(*args, **kwargs)
        with self.connection.cursor() as cursor:
            for table in self.connection.introspection.table_names(cursor):
                if table.startswith(("log_", "graph_")):
                    cursor.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        without_permissions()
        return name

    def _destroy_test_db(self, test_database_name: str, verbosity: int) -> None:
        """A database can't be dropped while anybody is connected: the pool and the appender's connection.

        What a thread has left open ends when its objects are collected, which may be long after the thread.

        Raises: RuntimeError that tells who is connected still.
        """
        from lineage.services import log_connection

        log_connection.close()
        gc.collect()
        try:
            super()._destroy_test_db(test_database_name, verbosity)  # type: ignore[misc]  # not in the stubs
        except OperationalError as error:
            with self._nodb_cursor() as cursor:  # type: ignore[attr-defined]  # nor is this
                cursor.execute(_CONNECTED, [test_database_name])
                raise RuntimeError(f"{error} Connected: {cursor.fetchall()}") from error


class DatabaseWrapper(PostgresqlWrapper):
    ops_class = DatabaseOperations
    creation_class = DatabaseCreation
