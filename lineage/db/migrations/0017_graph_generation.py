"""A word only: a graph's generation is drawn, where it was counted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0015_cosignatures")]

    operations = [
        migrations.AlterField(
            model_name="projectionstate",
            name="generation",
            field=models.BigIntegerField(
                default=0, help_text="drawn anew at each rebuild: row ids change with it"
            ),
        ),
    ]
