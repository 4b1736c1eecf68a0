"""Gitoids, and what Witness collections are about."""

from django.db import migrations, models

# As 0003 does for the tables of its time.
_TEXT = {
    "archive_gitoid": {"gitoid": "varchar(64)"},
    "archive_collection": {"name": "text", "attestors": "text"},
    "archive_subject": {"value": "text"},
}


def compare_by_bytes(apps, schema_editor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, columns in _TEXT.items():
        changes = [f'ALTER COLUMN {column} TYPE {kind} COLLATE "C"' for column, kind in columns.items()]
        schema_editor.execute(f"ALTER TABLE {table} {', '.join(changes)}")


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0020_taint")]

    operations = [
        migrations.CreateModel(
            name="ArchiveState",
            fields=[
                ("id", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ("indexed", models.BigIntegerField(default=0)),
            ],
            options={"db_table": "archive_state"},
        ),
        migrations.CreateModel(
            name="ArchiveGitoid",
            fields=[
                ("entry_index", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "gitoid",
                    models.CharField(
                        help_text="hex SHA-256 of `blob <length>`, a zero byte, the bytes",
                        max_length=64,
                        unique=True,
                    ),
                ),
            ],
            options={"db_table": "archive_gitoid"},
        ),
        migrations.CreateModel(
            name="ArchiveCollection",
            fields=[
                ("entry_index", models.BigIntegerField(primary_key=True, serialize=False)),
                ("name", models.TextField(help_text="the step, as the collection is called")),
                (
                    "attestors",
                    models.TextField(help_text="JSON array of the attestors' types, each once"),
                ),
            ],
            options={"db_table": "archive_collection"},
        ),
        migrations.CreateModel(
            name="ArchiveSubject",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("value", models.TextField()),
                ("entry_index", models.BigIntegerField()),
            ],
            options={"db_table": "archive_subject"},
        ),
        migrations.AddIndex(
            model_name="archivecollection",
            index=models.Index(fields=["name", "entry_index"], name="archive_collection_name"),
        ),
        migrations.AddIndex(
            model_name="archivesubject",
            index=models.Index(fields=["value", "entry_index"], name="archive_subject_value"),
        ),
        migrations.AddIndex(
            model_name="archivesubject",
            index=models.Index(fields=["entry_index"], name="archive_subject_entry"),
        ),
        migrations.RunPython(compare_by_bytes, migrations.RunPython.noop),
    ]
