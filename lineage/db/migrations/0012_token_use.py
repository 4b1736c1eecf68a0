from django.db import migrations, models


def compare_by_bytes(apps, schema_editor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute('ALTER TABLE account_token ALTER COLUMN replaces TYPE varchar(12) COLLATE "C"')


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0011_identities")]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="last_used_at",
            field=models.DateTimeField(blank=True, help_text="to the minute", null=True),
        ),
        migrations.AddField(
            model_name="apitoken",
            name="replaces",
            field=models.CharField(blank=True, default="", help_text="prefix of the key that it was made for", max_length=12),
            preserve_default=False,
        ),
        migrations.RunPython(compare_by_bytes, migrations.RunPython.noop),
    ]
