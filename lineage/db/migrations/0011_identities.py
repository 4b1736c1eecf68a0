from django.db import migrations, models

# SQLite keeps no lengths, and to change the column Django would make the table anew, without its triggers.
_WIDEN = 'ALTER TABLE log_entry_signer ALTER COLUMN key_id TYPE varchar(80) COLLATE "C"'


def widen(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(_WIDEN)


class Migration(migrations.Migration):

    dependencies = [
        ('lineage_db', '0010_subscription_told'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(widen, migrations.RunPython.noop)],
            state_operations=[
                migrations.AlterField(
                    model_name='entrysigner',
                    name='key_id',
                    field=models.CharField(help_text="a key's id, or `identity:<hex>`", max_length=80),
                ),
            ],
        ),
    ]
