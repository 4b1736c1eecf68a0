"""The graph's state knows the last entry's leaf; on SQLite the graph is in a file of its own from now on.

There its tables are no matter of migrations (`db.router`), and what older versions made of them in the log's file
goes: the graph is projected anew. What is freed is overwritten, as a node may be redacted later.
"""

from django.db import migrations, models

from lineage.db.append_only import OVERWRITE, OVERWRITE_NO_MORE, run

_TABLES = (
    "graph_state", "graph_skipped_entry", "graph_node", "graph_edge", "graph_support", "graph_claim", "graph_check",
    "graph_copy", "graph_status", "graph_taint", "graph_taint_state",
)
_leave = run({
    "sqlite": (OVERWRITE, *(f"DROP TABLE IF EXISTS main.{table}" for table in _TABLES), OVERWRITE_NO_MORE),
    "postgresql": (),
})


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0026_node_key")]
    operations = [
        migrations.AddField(
            "projectionstate",
            "leaf",
            models.BinaryField(
                db_default=b"",
                help_text="leaf hash of the last of them: by it the tables know their log",
                max_length=32,
            ),
        ),
        migrations.RunPython(_leave, migrations.RunPython.noop),
    ]
