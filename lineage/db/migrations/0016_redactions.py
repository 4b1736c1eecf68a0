"""Envelopes' bytes may go, by a signed redaction alone: the only DELETE that the log's triggers let through.

A row of `log_redaction` can be made only for an envelope of an earlier entry that is no decision, by an entry
that is one. What the decision says, and whether it was signed, the database can't tell: whoever reads the log
looks at the decision itself.
"""

from django.db import migrations, models

_NAMED = (
    "EXISTS (SELECT 1 FROM log_entry d WHERE d.\"index\" = NEW.entry_index AND d.kind = 'decision') "
    "AND EXISTS (SELECT 1 FROM log_entry e WHERE e.envelope_digest = NEW.envelope_digest "
    "AND e.kind <> 'decision' AND e.\"index\" < NEW.entry_index)"
)
_ERASED = "EXISTS (SELECT 1 FROM log_redaction r WHERE r.envelope_digest = {digest} AND r.refused = '')"
_ENVELOPE = _ERASED.format(digest="OLD.digest")
_SUBJECT = _ERASED.format(
    digest='(SELECT e.envelope_digest FROM log_entry e WHERE e."index" = OLD.entry_id)'
)
_TEXT = {"envelope_digest": "varchar(64)", "refused": "text"}


def create(apps, schema_editor) -> None:
    for statement in _CREATE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def drop(apps, schema_editor) -> None:
    for statement in _DROP[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def _sqlite(name: str, when: str, condition: str, table: str) -> str:
    return (
        f"CREATE TRIGGER {name} BEFORE {when} WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    )


_CREATE_SQLITE = (
    "DROP TRIGGER log_envelope_no_delete",
    "DROP TRIGGER log_entry_subject_no_delete",
    "DROP TRIGGER log_entry_subject_no_update",
    _sqlite("log_envelope_no_delete", "DELETE ON log_envelope", f"NOT {_ENVELOPE}", "log_envelope"),
    _sqlite(
        "log_entry_subject_no_delete", "DELETE ON log_entry_subject", f"NOT {_SUBJECT}", "log_entry_subject"
    ),
    _sqlite(
        "log_entry_subject_no_update",
        "UPDATE ON log_entry_subject",
        "NEW.name <> '' OR NEW.id <> OLD.id OR NEW.entry_id <> OLD.entry_id OR NEW.position <> OLD.position "
        f"OR NEW.digest <> OLD.digest OR NOT {_SUBJECT}",
        "log_entry_subject",
    ),
    "CREATE TRIGGER log_redaction_named BEFORE INSERT ON log_redaction "
    f"WHEN NEW.refused = '' AND NOT ({_NAMED}) "
    "BEGIN SELECT RAISE(ABORT, 'log_redaction names no decision about this envelope'); END",
    *(
        _sqlite(f"log_redaction_no_{action.lower()}", f"{action} ON log_redaction", "1", "log_redaction")
        for action in ("UPDATE", "DELETE")
    ),
)
_DROP_SQLITE = (
    *(
        f"DROP TRIGGER {name}"
        for name in (
            "log_envelope_no_delete", "log_entry_subject_no_delete", "log_entry_subject_no_update",
            "log_redaction_named", "log_redaction_no_update", "log_redaction_no_delete",
        )
    ),
    *(
        f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for table, action in (
            ("log_envelope", "DELETE"), ("log_entry_subject", "DELETE"), ("log_entry_subject", "UPDATE")
        )
    ),
)  # fmt: skip


def _kept(table: str, actions: str) -> tuple[str, ...]:
    return (
        f"CREATE TRIGGER {table}_kept BEFORE {actions} ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION log_refuse(' is append-only')",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_kept",
    )


def _function(name: str, condition: str, returned: str, words: str) -> str:
    return (
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NOT ({condition}) THEN "
        f"RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || '{words}', ERRCODE = 'restrict_violation'; "
        f"END IF; RETURN {returned}; END $$"
    )


def _row(name: str, when: str, table: str, function: str) -> tuple[str, ...]:
    return (
        f"CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}",
    )


_BLANKED = (
    "NEW.name = '' AND NEW.id = OLD.id AND NEW.entry_id = OLD.entry_id AND NEW.position = OLD.position "
    f"AND NEW.digest = OLD.digest AND {_SUBJECT}"
)
_CREATE_POSTGRESQL = (
    "DROP TRIGGER log_envelope_kept ON log_envelope",
    "DROP TRIGGER log_entry_subject_kept ON log_entry_subject",
    *_kept("log_envelope", "UPDATE OR TRUNCATE"),
    *_kept("log_entry_subject", "TRUNCATE"),
    *_kept("log_redaction", "UPDATE OR DELETE OR TRUNCATE"),
    _function("log_envelope_redacted", _ENVELOPE, "OLD", " is append-only"),
    _function("log_subject_redacted", _SUBJECT, "OLD", " is append-only"),
    _function("log_subject_blanked", _BLANKED, "NEW", " is append-only"),
    _function(
        "log_redaction_named",
        f"NEW.refused <> '' OR ({_NAMED})",
        "NEW",
        " names no decision about this envelope",
    ),
    *_row("log_envelope_redacted", "DELETE", "log_envelope", "log_envelope_redacted"),
    *_row("log_subject_redacted", "DELETE", "log_entry_subject", "log_subject_redacted"),
    *_row("log_subject_blanked", "UPDATE", "log_entry_subject", "log_subject_blanked"),
    *_row("log_redaction_named", "INSERT", "log_redaction", "log_redaction_named"),
    "ALTER TABLE log_redaction "
    + ", ".join(f'ALTER COLUMN {column} TYPE {kind} COLLATE "C"' for column, kind in _TEXT.items()),
)
_DROP_POSTGRESQL = (
    "DROP TRIGGER log_redaction_named ON log_redaction",
    "DROP TRIGGER log_redaction_kept ON log_redaction",
    "DROP TRIGGER log_subject_blanked ON log_entry_subject",
    "DROP TRIGGER log_subject_redacted ON log_entry_subject",
    "DROP TRIGGER log_envelope_redacted ON log_envelope",
    "DROP TRIGGER log_envelope_kept ON log_envelope",
    "DROP TRIGGER log_entry_subject_kept ON log_entry_subject",
    *(
        f"DROP FUNCTION {name}()"
        for name in (
            "log_redaction_named", "log_subject_blanked", "log_subject_redacted", "log_envelope_redacted"
        )
    ),
    *_kept("log_envelope", "UPDATE OR DELETE OR TRUNCATE"),
    *_kept("log_entry_subject", "UPDATE OR DELETE OR TRUNCATE"),
)  # fmt: skip

_CREATE = {"sqlite": _CREATE_SQLITE, "postgresql": _CREATE_POSTGRESQL}
_DROP = {"sqlite": _DROP_SQLITE, "postgresql": _DROP_POSTGRESQL}


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0014_proposals")]

    operations = [
        migrations.CreateModel(
            name="Redaction",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("envelope_digest", models.CharField(max_length=64)),
                ("entry_index", models.BigIntegerField(help_text="the log index of the decision")),
                ("refused", models.TextField(blank=True, help_text="why the envelope is kept all the same; empty: it is not")),
                ("done_us", models.BigIntegerField()),
            ],
            options={
                "db_table": "log_redaction",
                "indexes": [models.Index(fields=["entry_index"], name="redaction_entry")],
                "constraints": [models.UniqueConstraint(fields=("envelope_digest", "entry_index"), name="redaction_once")],
            },
        ),
        migrations.RunPython(create, drop),
    ]
