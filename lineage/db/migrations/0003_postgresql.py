"""What PostgreSQL needs beside the tables: text compared by bytes, as SQLite does.

Keys, digests and names are compared and sorted in pages, ranges and index skips; in a database of any other
locale than C those would come in another order, or miss rows. See docs/adr/0012-text-by-bytes.md.
"""

from django.db import migrations

# The head's only text is compared for equality alone, and a trigger that does so holds its type.
_TEXT = """
    SELECT table_name, column_name, data_type, character_maximum_length
    FROM information_schema.columns
    WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying')
    AND (starts_with(table_name, 'log_') OR starts_with(table_name, 'graph_')) AND table_name <> 'log_head'
    ORDER BY table_name, column_name
"""
# Made for LIKE 'x%' in other locales; by bytes the plain index serves that too.
_LIKE_INDEXES = """
    SELECT indexname FROM pg_indexes
    WHERE schemaname = current_schema() AND right(indexname, 5) = '_like'
    AND (starts_with(tablename, 'log_') OR starts_with(tablename, 'graph_')) ORDER BY indexname
"""


def compare_by_bytes(apps, schema_editor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    quote = schema_editor.quote_name
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(_LIKE_INDEXES)
        redundant = [row[0] for row in cursor.fetchall()]
        cursor.execute(_TEXT)
        columns = cursor.fetchall()
    for name in redundant:
        schema_editor.execute(f"DROP INDEX {quote(name)}")
    by_table: dict[str, list[str]] = {}
    for table, column, kind, length in columns:
        of = f"{kind}({length})" if length else kind
        by_table.setdefault(table, []).append(f'ALTER COLUMN {quote(column)} TYPE {of} COLLATE "C"')
    for table, changes in by_table.items():
        schema_editor.execute(f"ALTER TABLE {quote(table)} {', '.join(changes)}")


class Migration(migrations.Migration):
    dependencies = [("lineage_db", "0002_append_only")]
    operations = [migrations.RunPython(compare_by_bytes, migrations.RunPython.noop)]
