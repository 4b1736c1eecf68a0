"""Statements of migrations that make an append-only table anew: what refuses to alter it, and lets go again.

Owns: the triggers by which a table of the log refuses what isn't an insert, as `0002_append_only` made them.
Does not own: the exceptions for redacted entries, which are in the migrations that make those tables.
Constants alone are formatted into these statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

Statements = Mapping[str, Sequence[str]]
"""By vendor."""


def run(statements: Statements) -> Callable[[Any, BaseDatabaseSchemaEditor], None]:
    """For `RunPython`: the statements of the database that is migrated, in its transaction."""

    def execute(_apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        for statement in statements[schema_editor.connection.vendor]:
            schema_editor.execute(statement)

    return execute


def refuse_sqlite(table: str, actions: Sequence[str] = ("UPDATE", "DELETE")) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for action in actions
    ]


def refuse_postgresql(table: str, actions: str = "UPDATE OR DELETE OR TRUNCATE") -> list[str]:
    """ALWAYS: also where a session calls itself a replica, in which ordinary triggers are silent."""
    return [
        f"CREATE TRIGGER {table}_kept BEFORE {actions} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION log_refuse(' is append-only')",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_kept",
    ]
