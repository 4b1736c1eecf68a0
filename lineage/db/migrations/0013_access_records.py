from django.db import migrations, models

_TEXT = {"who": "text", "action": "varchar(8)", "route": "text", "subject": "text", "address": "text"}


def compare_by_bytes(apps, schema_editor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        changes = [f'ALTER COLUMN {column} TYPE {kind} COLLATE "C"' for column, kind in _TEXT.items()]
        schema_editor.execute(f"ALTER TABLE access_record {', '.join(changes)}")


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0012_token_use")]

    operations = [
        migrations.CreateModel(
            name='AccessRecord',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('at_us', models.BigIntegerField(db_index=True)),
                ('who', models.TextField(help_text='an e-mail address, or token:<name> (lin_<prefix>)')),
                ('action', models.CharField(choices=[('look', 'Looked at'), ('export', 'Exported'), ('change', 'Changed'), ('decide', 'Decided'), ('sign-in', 'Signed in'), ('sign-out', 'Signed out'), ('refused', 'Was refused')], max_length=8)),
                ('route', models.TextField(help_text='name of the page or call')),
                ('subject', models.TextField(blank=True, help_text="what the address names, such as a node's key")),
                ('status', models.IntegerField(help_text='HTTP status of the answer')),
                ('entry_index', models.BigIntegerField(help_text='of a decision', null=True)),
                ('address', models.TextField(blank=True, help_text='where the request came from')),
            ],
            options={
                'db_table': 'access_record',
                'indexes': [models.Index(fields=['who', '-id'], name='access_who'), models.Index(fields=['subject', '-id'], name='access_subject')],
            },
        ),
        migrations.RunPython(compare_by_bytes, migrations.RunPython.noop),
    ]
