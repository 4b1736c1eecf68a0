from django.db import migrations, models

_TEXT = {
    "function": "text", "arguments": "text", "person": "text", "owner": "text", "role": "varchar(8)",
    "state": "varchar(8)", "decided_by": "text", "reason": "text",
}


def compare_by_bytes(apps, schema_editor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        changes = [f'ALTER COLUMN {column} TYPE {kind} COLLATE "C"' for column, kind in _TEXT.items()]
        schema_editor.execute(f"ALTER TABLE decision_proposal {', '.join(changes)}")


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0013_access_records")]

    operations = [
        migrations.CreateModel(
            name='Proposal',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('function', models.TextField(help_text='of `lineage.services.approvals.MODULES`, <module>.<name>')),
                ('arguments', models.TextField(help_text='JSON, as the function takes them')),
                ('payload', models.BinaryField(help_text='the statement as it would have been then, for people to read')),
                ('person', models.TextField(help_text='who proposed it: an e-mail address, or token:<name> (lin_<prefix>)')),
                ('owner', models.TextField(blank=True, help_text='who made the API key that proposed it')),
                ('role', models.CharField(help_text='the least that who approves must hold', max_length=8)),
                ('created_us', models.BigIntegerField()),
                ('ends_us', models.BigIntegerField(help_text="from when on it can't be approved any more")),
                ('state', models.CharField(choices=[('open', 'Waits'), ('deciding', 'Is being recorded'), ('approved', 'Approved'), ('rejected', 'Rejected')], default='open', max_length=8)),
                ('decided_by', models.TextField(blank=True, help_text='who approved or rejected it')),
                ('decided_us', models.BigIntegerField(default=0)),
                ('reason', models.TextField(blank=True, help_text='why it was rejected')),
                ('entry_index', models.BigIntegerField(help_text='of the decision in the log', null=True)),
            ],
            options={
                'db_table': 'decision_proposal',
                'indexes': [models.Index(fields=['state', '-id'], name='proposal_state')],
            },
        ),
        migrations.RunPython(compare_by_bytes, migrations.RunPython.noop),
    ]
