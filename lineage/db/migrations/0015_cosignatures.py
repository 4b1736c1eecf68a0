from django.db import migrations, models

_SQLITE = tuple(
    f"CREATE TRIGGER log_cosignature_no_{action.lower()} BEFORE {action} ON log_cosignature "
    "BEGIN SELECT RAISE(ABORT, 'log_cosignature is append-only'); END"
    for action in ("UPDATE", "DELETE")
)
_POSTGRESQL = (
    "CREATE TRIGGER log_cosignature_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON log_cosignature "
    "FOR EACH STATEMENT EXECUTE FUNCTION log_refuse(' is append-only')",
    "ALTER TABLE log_cosignature ENABLE ALWAYS TRIGGER log_cosignature_kept",
    'ALTER TABLE log_cosignature ALTER COLUMN witness TYPE text COLLATE "C", '
    'ALTER COLUMN key_hash TYPE varchar(8) COLLATE "C"',
    'ALTER TABLE witness_state ALTER COLUMN witness TYPE text COLLATE "C", '
    'ALTER COLUMN error TYPE text COLLATE "C"',
)


def keep(apps, schema_editor) -> None:
    """No line is changed or taken away; names compare by bytes."""
    for statement in {"sqlite": _SQLITE, "postgresql": _POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0016_redactions")]

    operations = [
        migrations.CreateModel(
            name="Cosignature",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("size", models.BigIntegerField(help_text="of the checkpoint")),
                ("witness", models.TextField(help_text="the key's name")),
                ("key_hash", models.CharField(max_length=8, help_text="hex, as in its verifier key")),
                ("line", models.BinaryField(help_text="the note's signature line, with its newline")),
                ("at_us", models.BigIntegerField(help_text="the witness's own time")),
            ],
            options={
                "db_table": "log_cosignature",
                "indexes": [models.Index(fields=["witness", "key_hash", "-size"], name="cosignature_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=("size", "witness", "key_hash"), name="cosignature_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="WitnessState",
            fields=[
                ("witness", models.TextField(primary_key=True, serialize=False, help_text="name+hash")),
                ("asked_us", models.BigIntegerField()),
                ("failures", models.IntegerField(default=0, help_text="in a row")),
                ("error", models.TextField(blank=True)),
                (
                    "contradicts",
                    models.BooleanField(
                        default=False, help_text="it has seen another log than this database holds"
                    ),
                ),
            ],
            options={"db_table": "witness_state"},
        ),
        migrations.RunPython(keep, migrations.RunPython.noop),
    ]
