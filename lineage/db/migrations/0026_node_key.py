"""A node's key is unique by an index of its own: a rebuild makes it of all nodes at once.

SQLite can't leave the one out for a time that belongs to a column. Keeping it, while nodes came in the order of
the log, took two thirds of what inserting them cost. The table is made anew there, and its rows are copied; what
is freed of the old one is overwritten: a node may be redacted later.
"""

from django.db import migrations, models

from lineage.db.append_only import OVERWRITE, OVERWRITE_NO_MORE, run

_begin = run({"sqlite": (OVERWRITE,), "postgresql": ()})
_end = run({"sqlite": (OVERWRITE_NO_MORE,), "postgresql": ()})


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0025_entries")]
    operations = [
        migrations.RunPython(_begin, _end),
        migrations.AlterField("node", "key", models.TextField(help_text="`<scheme>:<hex>`")),
        migrations.AddConstraint("node", models.UniqueConstraint(models.F("key"), name="node_key")),
        migrations.RunPython(_end, _begin),
    ]
