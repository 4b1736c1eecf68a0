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


def _sqlite(action: str, table: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


def create_triggers(apps, schema_editor) -> None:
    if schema_editor.connection.vendor != "sqlite":
        raise NotImplementedError("append-only triggers exist for SQLite so far")
    for table in APPEND_ONLY:
        for action in ("UPDATE", "DELETE"):
            schema_editor.execute(_sqlite(action, table))
    schema_editor.execute(
        "CREATE TRIGGER log_head_forward BEFORE UPDATE ON log_head WHEN NEW.size < OLD.size "
        "OR NEW.last_received_us < OLD.last_received_us OR NEW.policy_index < OLD.policy_index "
        "OR NEW.origin <> OLD.origin BEGIN SELECT RAISE(ABORT, 'log_head only moves forward'); END"
    )
    schema_editor.execute(_sqlite("DELETE", "log_head"))


def drop_triggers(apps, schema_editor) -> None:
    for table in APPEND_ONLY:
        for action in ("update", "delete"):
            schema_editor.execute(f"DROP TRIGGER {table}_no_{action}")
    schema_editor.execute("DROP TRIGGER log_head_forward")
    schema_editor.execute("DROP TRIGGER log_head_no_delete")


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0001_initial")]
    operations = [migrations.RunPython(create_triggers, drop_triggers)]
