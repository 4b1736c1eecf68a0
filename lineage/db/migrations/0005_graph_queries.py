from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0004_jobs")]

    operations = [
        migrations.CreateModel(
            name="GraphQuery",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at_us", models.BigIntegerField(db_index=True)),
                ("person", models.TextField(help_text="an e-mail address, or token:<name> (lin_<prefix>)")),
                ("query", models.TextField(help_text="as sent, cut at its limit")),
                ("parameters", models.TextField(help_text="JSON, cut at its limit")),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("answered", "Answered"),
                            ("refused", "Refused"),
                            ("failed", "Failed"),
                        ],
                        default="running",
                        max_length=8,
                    ),
                ),
                (
                    "until_us",
                    models.BigIntegerField(help_text="when a running one has surely ended or been cut off"),
                ),
                ("reason", models.TextField(blank=True, help_text="why it was refused or failed")),
                ("rows", models.IntegerField(help_text="rows of the answer", null=True)),
                ("truncated", models.BooleanField(default=False)),
                (
                    "ms",
                    models.IntegerField(help_text="from the record to the answer, milliseconds", null=True),
                ),
            ],
            options={
                "db_table": "access_graph_query",
                "indexes": [
                    models.Index(
                        condition=models.Q(("outcome", "running")),
                        fields=["until_us"],
                        name="graph_query_running",
                    )
                ],
            },
        ),
    ]
