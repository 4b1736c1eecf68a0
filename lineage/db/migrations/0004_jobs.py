import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("lineage_db", "0003_postgresql"),
    ]

    operations = [
        migrations.CreateModel(
            name="WorkerBeat",
            fields=[
                ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("at_us", models.BigIntegerField()),
            ],
            options={
                "db_table": "worker_beat",
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("kind", models.CharField(max_length=40)),
                (
                    "key",
                    models.TextField(blank=True, help_text="what it is about; one open job a kind and key"),
                ),
                ("queue", models.CharField(help_text="as its kind says: short or long", max_length=10)),
                ("arguments", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                        ],
                        default="queued",
                        max_length=7,
                    ),
                ),
                ("due_us", models.BigIntegerField(help_text="not before")),
                (
                    "lease_until_us",
                    models.BigIntegerField(default=0, help_text="while running; then another may take it"),
                ),
                ("token", models.BigIntegerField(default=0)),
                ("attempts", models.IntegerField(default=0)),
                ("max_attempts", models.IntegerField()),
                ("worker", models.TextField(blank=True, help_text="who holds or held the newest lease")),
                (
                    "progress_done",
                    models.BigIntegerField(default=0, help_text="of progress_total, in the kind's own unit"),
                ),
                ("progress_total", models.BigIntegerField(default=0, help_text="0: not known")),
                ("note", models.TextField(blank=True, help_text="what it is doing, in words")),
                ("result", models.JSONField(null=True)),
                ("error", models.TextField(blank=True, help_text="why the newest attempt failed")),
                (
                    "requested_by",
                    models.TextField(blank=True, help_text="an e-mail address, token:<name> or os:<login>"),
                ),
                ("created_us", models.BigIntegerField()),
                ("started_us", models.BigIntegerField(help_text="the newest attempt", null=True)),
                ("finished_us", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "job",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=["queue", "due_us"],
                        name="job_due",
                    ),
                    models.Index(fields=["state", "finished_us"], name="job_state"),
                    models.Index(fields=["kind", "created_us"], name="job_kind"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["queued", "running"])),
                        fields=("kind", "key"),
                        name="job_open",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="JobStep",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("step", models.CharField(max_length=100)),
                ("entry_index", models.BigIntegerField()),
                (
                    "job",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="steps",
                        to="lineage_db.job",
                    ),
                ),
            ],
            options={
                "db_table": "job_step",
                "constraints": [models.UniqueConstraint(fields=("job", "step"), name="job_step_once")],
            },
        ),
    ]
