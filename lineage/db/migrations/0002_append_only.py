"""The log is append-only in the database itself, not only in the code that writes it.

An envelope's bytes may be deleted by a signed redaction alone, which its own migration will allow.
`log_head` may only move forward; it holds nothing that entry and checkpoint rows don't.
"""

from django.db import migrations

APPEND_ONLY = (
    "log_entry",
    "log_envelope",
    "log_entry_subject",
    "log_entry_signer",
    "log_tile",
    "log_checkpoint",
)
_BACKWARDS = (
    "NEW.size < OLD.size OR NEW.last_received_us < OLD.last_received_us "
    "OR NEW.policy_index < OLD.policy_index OR NEW.origin <> OLD.origin"
)


def create_triggers(apps, schema_editor) -> None:
    for statement in _CREATE[schema_editor.connection.vendor]():
        schema_editor.execute(statement)


def drop_triggers(apps, schema_editor) -> None:
    for statement in _DROP[schema_editor.connection.vendor]():
        schema_editor.execute(statement)


def _create_sqlite() -> list[str]:
    refused = [(table, action) for table in APPEND_ONLY for action in ("UPDATE", "DELETE")]
    return [
        *(_sqlite(action, table) for table, action in refused),
        f"CREATE TRIGGER log_head_forward BEFORE UPDATE ON log_head WHEN {_BACKWARDS} "
        "BEGIN SELECT RAISE(ABORT, 'log_head only moves forward'); END",
        _sqlite("DELETE", "log_head"),
    ]


def _sqlite(action: str, table: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def _drop_sqlite() -> list[str]:
    names = [f"{table}_no_{action}" for table in APPEND_ONLY for action in ("update", "delete")]
    return [f"DROP TRIGGER {name}" for name in (*names, "log_head_forward", "log_head_no_delete")]


def _create_postgresql() -> list[str]:
    """One trigger a statement, so that appending pays nothing for it; the head's is a condition on its row.

    ALWAYS: also where a session calls itself a replica, in which ordinary triggers are silent.
    """
    statements = [
        "CREATE FUNCTION log_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || TG_ARGV[0], "
        "ERRCODE = 'restrict_violation'; END $$",
        "CREATE TRIGGER log_head_forward BEFORE UPDATE ON log_head FOR EACH ROW "
        f"WHEN ({_BACKWARDS} OR NEW.id <> OLD.id) EXECUTE FUNCTION log_refuse(' only moves forward')",
        "ALTER TABLE log_head ENABLE ALWAYS TRIGGER log_head_forward",
    ]
    for table, actions in _REFUSED.items():
        statements += [
            f"CREATE TRIGGER {table}_kept BEFORE {actions} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION log_refuse(' is append-only')",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_kept",
        ]
    return statements


_REFUSED = dict.fromkeys(APPEND_ONLY, "UPDATE OR DELETE OR TRUNCATE") | {
    "log_head": "DELETE OR TRUNCATE"
}


def _drop_postgresql() -> list[str]:
    return [
        *(f"DROP TRIGGER {table}_kept ON {table}" for table in _REFUSED),
        "DROP TRIGGER log_head_forward ON log_head",
        "DROP FUNCTION log_refuse()",
    ]


_CREATE = {"sqlite": _create_sqlite, "postgresql": _create_postgresql}
_DROP = {"sqlite": _drop_sqlite, "postgresql": _drop_postgresql}


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0001_initial")]
    operations = [migrations.RunPython(create_triggers, drop_triggers)]
