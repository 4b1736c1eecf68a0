"""What is tainted, in rows with the nearest source."""

from django.db import migrations, models

# As 0003 does for the tables of its time.
_TEXT = {
    "graph_taint": {"why": "varchar(15)"},
    "graph_taint_state": {"inputs": "text", "writer": "text"},
}


def compare_by_bytes(apps, schema_editor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, columns in _TEXT.items():
        changes = [f'ALTER COLUMN {column} TYPE {kind} COLLATE "C"' for column, kind in columns.items()]
        schema_editor.execute(f"ALTER TABLE {table} {', '.join(changes)}")


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0019_status_time")]

    operations = [
        migrations.CreateModel(
            name="Taint",
            fields=[
                ("node_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("source_id", models.BigIntegerField()),
                ("why", models.CharField(help_text="bad-copy, designated or key-compromised", max_length=15)),
                ("hops", models.IntegerField(help_text="edges away from the source; 0: it is one")),
            ],
            options={"db_table": "graph_taint"},
        ),
        migrations.CreateModel(
            name="TaintState",
            fields=[
                ("id", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ("generation", models.BigIntegerField(help_text="of the graph whose row ids these are")),
                ("size", models.BigIntegerField(help_text="entries below this index were looked at")),
                (
                    "inputs",
                    models.TextField(help_text="fingerprint of decisions, revocations and checks that taint"),
                ),
                ("whole", models.BooleanField(help_text="false while a change is being written")),
                ("writer", models.TextField(help_text="who writes or wrote last: nobody else may go on")),
                ("until_us", models.BigIntegerField(default=0, help_text="when a decision ends by itself")),
                (
                    "done_us",
                    models.BigIntegerField(default=0, help_text="when they were whole the last time"),
                ),
                ("rows", models.BigIntegerField(default=0)),
            ],
            options={"db_table": "graph_taint_state"},
        ),
        migrations.AddIndex(
            model_name="taint",
            index=models.Index(fields=["source_id", "hops", "node_id"], name="taint_source"),
        ),
        migrations.RunPython(compare_by_bytes, migrations.RunPython.noop),
    ]
