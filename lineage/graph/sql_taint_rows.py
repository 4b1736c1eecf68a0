"""The rows of what is tainted, and changing them a part at a time while others read and append.

Owns: `graph_taint` and `graph_taint_state`. Does not own: what is tainted (`sql_taint_spread`), or when they
are written (`services.taint_rows`). No page goes by these rows to say that something is untainted.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from lineage.db import bulk
from lineage.graph import sql, sql_dialect
from lineage.graph.model import ClaimKind
from lineage.graph.sql_query import fetch
from lineage.graph.sql_taint_spread import Nearest, unlabelled

PART = 5_000
"""Row ids of nodes looked at in one transaction: that many rows are changed in it at most."""

_TABLE = bulk.Table(
    "graph_taint", (("node_id", "int8"), ("source_id", "int8"), ("why", "text"), ("hops", "int4"))
)
_Row = tuple[int, int, str, int]


@dataclass(frozen=True, slots=True)
class State:
    """What the rows are the answer to: `generation` and `size` of the graph, `inputs` that taint.

    `whole`: nobody was cut off while writing them. Times are µs since the epoch, 0: none.
    """

    generation: int
    size: int
    inputs: str
    whole: bool
    writer: str = ""
    until_us: int = 0
    done_us: int = 0
    rows: int = 0


def state() -> State | None:
    """None before any were written."""
    found = fetch(
        "SELECT generation, size, inputs, whole, writer, until_us, done_us, rows FROM graph_taint_state "
        "WHERE id = 1"
    )
    if not found:
        return None
    generation, size, inputs, whole, *rest = found[0]
    return State(generation, size, inputs, bool(whole), *rest)


def begin(writer: str, target: State) -> None:
    """From now on `writer` alone changes the rows, towards `target`; they are not whole."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO graph_taint_state"
            " (id, generation, size, inputs, whole, writer, until_us, done_us, rows)"
            " VALUES (1, %s, %s, %s, %s, %s, %s, 0, 0) ON CONFLICT (id) DO UPDATE SET"
            " generation = excluded.generation, size = excluded.size, inputs = excluded.inputs,"
            " whole = excluded.whole, writer = excluded.writer, until_us = excluded.until_us",
            [target.generation, target.size, target.inputs, False, writer, target.until_us],
        )


def finish(writer: str, target: State, done_us: int, rows: int) -> bool:
    """Say that all is written; False where another has taken over, or the graph was made anew."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE graph_taint_state SET whole = %s, done_us = %s, rows = %s WHERE id = 1 AND writer = %s"
            " AND EXISTS (SELECT 1 FROM graph_state WHERE id = 1 AND generation = %s)",
            [True, done_us, rows, writer, target.generation],
        )
        return bool(cursor.rowcount == 1)


def parts(wanted: Nearest) -> Iterator[tuple[int, int]]:
    """Ranges of row ids, from and up to but without, that hold all rows there are and are to be."""
    found = fetch("SELECT COALESCE(MIN(node_id), 0), COALESCE(MAX(node_id), -1) FROM graph_taint")
    low, high = found[0]
    if wanted.nodes:
        low = min(low, wanted.nodes[0]) if high >= 0 else wanted.nodes[0]
        high = max(high, wanted.nodes[-1])
    for start in range(low, high + 1, PART):
        yield start, start + PART


def write(writer: str, wanted: Nearest, start: int, end: int) -> int | None:
    """Bring the rows of these nodes to what is wanted; how many changed, None where another has taken over.

    Nothing is locked where nothing differs, and a power cut may take it: what is not whole is written again.
    """
    first, last = bisect.bisect_left(wanted.nodes, start), bisect.bisect_left(wanted.nodes, end)
    rows = {row[0]: row for row in (_row(wanted, place) for place in range(first, last))}
    there = {row[0]: tuple(row) for row in fetch(_READ, [start, end])}
    changed = [row for node, row in rows.items() if there.get(node) != row]
    gone = [node for node in there if node not in rows] + [row[0] for row in changed if row[0] in there]
    if not (changed or gone):
        return 0
    with sql.unsynced(connection), connection.cursor() as cursor:
        cursor.execute("UPDATE graph_taint_state SET writer = %s WHERE writer = %s", [writer, writer])
        if cursor.rowcount != 1:
            return None
        if gone:
            cursor.execute(
                sql_dialect.query(_DELETE, connection.vendor), sql_dialect.listed(gone, connection.vendor)
            )
        bulk.insert(connection, _TABLE, changed)
    return len(gone) + len(changed)


_READ = "SELECT node_id, source_id, why, hops FROM graph_taint WHERE node_id >= %s AND node_id < %s"
_DELETE = "DELETE FROM graph_taint WHERE node_id IN (SELECT value FROM {ids})"


def _row(wanted: Nearest, place: int) -> _Row:
    source, why = unlabelled(wanted.labels[place])
    return wanted.nodes[place], source, why, wanted.hops[place]


def by_source() -> list[tuple[int, str, int, int]]:
    """Of each source: its row id, why it taints, how much it is the nearest of, the farthest of that."""
    return [
        (source, why, count, hops)
        for source, why, count, hops in fetch(
            "SELECT source_id, why, count(*), max(hops) FROM graph_taint GROUP BY source_id, why "
            "ORDER BY count(*) DESC, source_id, why"
        )
    ]


def next_end(at_us: int, size: int) -> int:
    """When the next decision about taint ends by itself (µs), of those below the tree size; 0: none does."""
    found = fetch(
        "SELECT c.value FROM graph_claim c WHERE c.kind IN (%s, %s) AND c.trust = 'asserted' "
        'AND c."index" < %s',
        [ClaimKind.DESIGNATED, ClaimKind.UNTAINTED, size],
    )
    return min((until for (value,) in found if (until := int(value)) > at_us), default=0)
