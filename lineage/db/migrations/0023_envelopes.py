"""An envelope belongs to its entry by number: its digest stood in three more places than the entry's own.

The table is made anew, and its rows are copied; its triggers go with it and are made again in the same
transaction. What is freed of the old one is overwritten: a later redaction must find all copies of the bytes.
See docs/adr/0025-stored-bytes.md.
"""

import django.db.models.deletion
from django.db import migrations, models

from lineage.db.append_only import (
    OVERWRITE,
    OVERWRITE_NO_MORE,
    AsMany,
    refuse_postgresql,
    refuse_sqlite,
    run,
    see_through_postgresql,
    see_through_sqlite,
)

_ERASED = "EXISTS (SELECT 1 FROM log_redaction r WHERE r.envelope_digest = {digest} AND r.refused = '')"
_BY_ENTRY = _ERASED.format(
    digest='(SELECT e.envelope_digest FROM log_entry e WHERE e."index" = OLD.entry_id)'
)
_BY_DIGEST = _ERASED.format(digest="OLD.digest")

_RENAME = "ALTER TABLE log_envelope RENAME TO log_envelope_old"
_COPY = (
    'INSERT INTO log_envelope (entry_id, content) SELECT e."index", o.content '
    'FROM log_entry e JOIN log_envelope_old o ON o.digest = e.envelope_digest ORDER BY e."index"'
)
_BACK = (
    "INSERT INTO log_envelope (digest, content) SELECT e.envelope_digest, o.content "
    'FROM log_envelope_old o JOIN log_entry e ON e."index" = o.entry_id ORDER BY o.entry_id'
)
_ALL = AsMany("log_envelope_old", "log_envelope")
_DROP = "DROP TABLE log_envelope_old"
_TRIGGERS = ("DROP TRIGGER log_envelope_no_update", "DROP TRIGGER log_envelope_no_delete")
_FUNCTION = "log_envelope_redacted"


def _sqlite(create: str, copy: str, erased: str) -> tuple[str | AsMany, ...]:
    return (
        OVERWRITE,
        *_TRIGGERS,
        _RENAME,
        create,
        copy,
        _ALL,
        _DROP,
        *refuse_sqlite("log_envelope", ["UPDATE"]),
        see_through_sqlite("log_envelope", "DELETE", erased),
        OVERWRITE_NO_MORE,
    )


def _postgresql(create: str, copy: str, key: str, erased: str) -> tuple[str | AsMany, ...]:
    return (
        _RENAME,
        create,
        copy,
        _ALL,
        _DROP,
        f"ALTER TABLE log_envelope ADD CONSTRAINT log_envelope_pkey PRIMARY KEY ({key})",
        *refuse_postgresql("log_envelope", "UPDATE OR TRUNCATE"),
        *see_through_postgresql("log_envelope", "DELETE", _FUNCTION, erased, "OLD"),
    )


_FORWARDS = {
    "sqlite": _sqlite(
        "CREATE TABLE log_envelope (entry_id integer NOT NULL PRIMARY KEY, content BLOB NOT NULL)",
        _COPY,
        _BY_ENTRY,
    ),
    "postgresql": _postgresql(
        "CREATE TABLE log_envelope (entry_id bigint NOT NULL, content bytea NOT NULL)",
        _COPY,
        "entry_id",
        _BY_ENTRY,
    ),
}
_BACKWARDS = {
    "sqlite": _sqlite(
        "CREATE TABLE log_envelope (digest varchar(64) NOT NULL PRIMARY KEY, content BLOB NOT NULL)",
        _BACK,
        _BY_DIGEST,
    ),
    "postgresql": _postgresql(
        'CREATE TABLE log_envelope (digest varchar(64) COLLATE "C" NOT NULL, content bytea NOT NULL)',
        _BACK,
        "digest",
        _BY_DIGEST,
    ),
}


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0022_signers")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(run(_FORWARDS), run(_BACKWARDS))],
            state_operations=[
                migrations.DeleteModel("Envelope"),
                migrations.CreateModel(
                    name="Envelope",
                    fields=[
                        ("entry", models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.DO_NOTHING, primary_key=True, serialize=False, to="lineage_db.entry")),
                        ("content", models.BinaryField()),
                    ],
                    options={"db_table": "log_envelope"},
                ),
            ],
        ),
    ]
