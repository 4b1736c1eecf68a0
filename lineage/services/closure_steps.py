"""The entries at which what a page shows of a closure changed: the last one before a moment, the next after.

Owns: finding them. A status that changed by time alone has no entry, and no step. Does not own: the closure.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Callable, Collection

from lineage.graph.sql_query import fetch, text_table
from lineage.services.as_of import AsOf

TRIES = 50
"""Entries looked at for the next change: one may touch what only a later entry brings into the closure."""

_TOUCHED = (
    "SELECT n.key, s.from_index AS at FROM {table} k CROSS JOIN graph_node n CROSS JOIN graph_status s "
    "WHERE n.key = k.value AND s.node_id = n.id AND s.from_index >= %s AND s.from_index < %s "
    "UNION ALL SELECT n.key, e.first_index AS at FROM {table} k CROSS JOIN graph_node n "
    "CROSS JOIN graph_edge e WHERE n.key = k.value AND e.source_id = n.id "
    "AND e.first_index >= %s AND e.first_index < %s"
)


def previous(keys: Collection[str], size: int) -> int | None:
    """The tree size before the newest entry below `size` that changed a node of these, or a link from it."""
    table, texts = text_table(keys)
    sql = f"SELECT MAX(at) FROM ({_TOUCHED.format(table=table)}) t"
    newest = fetch(sql, [*texts, 0, size, *texts, 0, size])[0][0]
    return None if newest is None else int(newest)


def following(
    keys: Collection[str], as_of: AsOf, until: int, members: Callable[[int], Collection[str]]
) -> int | None:
    """The smallest tree size above `as_of.size`, up to `until`, at which the closure is another.

    `keys` are its nodes at `until`, which has all that any moment before it has; `members` gives those at a
    tree size.
    """
    table, texts = text_table(keys)
    sql = f"SELECT DISTINCT at FROM ({_TOUCHED.format(table=table)}) t ORDER BY at LIMIT {TRIES}"
    span = [as_of.size, until]
    indexes = [int(row[0]) for row in fetch(sql, [*texts, *span, *texts, *span])]
    for index in indexes:
        touched = f"SELECT DISTINCT key FROM ({_TOUCHED.format(table=table)}) t"
        at = [index, index + 1]
        if {row[0] for row in fetch(touched, [*texts, *at, *texts, *at])} & set(members(index + 1)):
            return index + 1
    return indexes[-1] + 1 if len(indexes) == TRIES else None
