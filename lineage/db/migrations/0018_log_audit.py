"""How far the log was read again, and what was found."""

from django.db import migrations, models


def collate(apps, schema_editor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute('ALTER TABLE log_audit ALTER COLUMN wrong TYPE text COLLATE "C"')


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0017_graph_generation")]

    operations = [
        migrations.CreateModel(
            name="LogAudit",
            fields=[
                ("id", models.PositiveSmallIntegerField(primary_key=True, serialize=False)),
                ("position", models.BigIntegerField(default=0, help_text="where the round in hand goes on")),
                (
                    "newest",
                    models.BigIntegerField(default=0, help_text="the newest entries were read up to here"),
                ),
                ("round_us", models.BigIntegerField(help_text="when the round in hand began")),
                (
                    "rounded_us",
                    models.BigIntegerField(help_text="when the newest whole round ended", null=True),
                ),
                ("ran_us", models.BigIntegerField(help_text="when reading ended the last time", null=True)),
                ("read", models.BigIntegerField(default=0, help_text="entries that were read then")),
                ("wrong", models.TextField(blank=True, help_text="what is wrong, as a sentence")),
                ("wrong_us", models.BigIntegerField(help_text="when it was found first", null=True)),
                (
                    "wrong_part",
                    models.BigIntegerField(
                        help_text="the part to read again until it is right; null: beside the entries",
                        null=True,
                    ),
                ),
            ],
            options={"db_table": "log_audit"},
        ),
        migrations.RunPython(collate, migrations.RunPython.noop),
    ]
