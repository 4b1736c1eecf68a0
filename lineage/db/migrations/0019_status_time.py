"""What time alone turned between two moments is found without reading all of the status history."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0018_log_audit")]

    operations = [
        migrations.AddIndex(
            model_name="statusinterval",
            index=models.Index(
                condition=models.Q(("from_us__gt", 0)), fields=["from_us"], name="status_time"
            ),
        ),
    ]
