"""Statements of migrations that make an append-only table anew: what refuses to alter it, and lets go again.

Owns: the triggers by which a table of the log refuses what isn't an insert, as `0002_append_only` made them,
or lets pass what a redaction allows, as `0016_redactions` did; and that a copy has as many rows as
there were. Does not own: which condition that is. Constants alone are formatted into these statements.
"""

# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from lineage.errors import LogIntegrityError

OVERWRITE, OVERWRITE_NO_MORE = "PRAGMA secure_delete = ON", "PRAGMA secure_delete = OFF"
"""SQLite: of what is dropped between them the file holds nothing any more. Source: PRAGMA secure_delete."""


@dataclass(frozen=True, slots=True)
class AsMany:
    """A step that looks whether the copy has as many rows as the table that it is of."""

    old: str
    new: str

    def __call__(self, schema_editor: BaseDatabaseSchemaEditor) -> None:
        """Raises: LogIntegrityError where it has not: rows that belong to no entry are damage, or a trace."""
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(f"SELECT (SELECT count(*) FROM {self.old}), (SELECT count(*) FROM {self.new})")
            were, are = cursor.fetchone()
        if were != are:
            raise LogIntegrityError(
                f"{self.old.removesuffix('_old')} has {were} rows, of which {are} belong to entries",
                hint="Run `lineage log audit` of the version before this one.",
            )


Step = str | Callable[[BaseDatabaseSchemaEditor], None]
Statements = Mapping[str, Sequence[Step]]
"""By vendor."""


def run(statements: Statements) -> Callable[[Any, BaseDatabaseSchemaEditor], None]:
    """For `RunPython`: the statements of the database that is migrated, in its transaction."""

    def execute(_apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        for statement in statements[schema_editor.connection.vendor]:
            if isinstance(statement, str):
                schema_editor.execute(statement)
            else:
                statement(schema_editor)

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


def see_through_sqlite(table: str, action: str, allowed: str) -> str:
    """`allowed` is a condition on the OLD row."""
    return (
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} WHEN NOT ({allowed}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def see_through_postgresql(table: str, action: str, name: str, allowed: str, returned: str) -> list[str]:
    """`allowed` is a condition on the OLD row, `returned` the row that goes on: OLD or NEW."""
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF NOT ({allowed}) THEN "
        "RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', "
        f"ERRCODE = 'restrict_violation'; END IF; RETURN {returned}; END $$",
        f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}",
    ]
