"""What became failed or expired in a part of the log, or by time alone: each change once, by its node.

Owns: reading the status history for news. Does not own: who is told (`services.notify`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from dataclasses import dataclass

from lineage.graph.sql_query import PROBE, Row, fetch

BAD = ("failed", "expired")


@dataclass(frozen=True, slots=True)
class News:
    """An artifact that came into a bad status. `index`: the entry whose history it is part of."""

    node: int
    key: str
    status: str
    reasons: tuple[str, ...]
    index: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Window:
    """Entries from `from_index` to before `to_index`, and times after `from_us` up to `to_us`."""

    from_index: int
    to_index: int
    from_us: int
    to_us: int


_COLUMNS = "s.node_id, n.key, s.status, s.reasons, s.from_index, "
_TABLES = (
    "FROM graph_status s CROSS JOIN graph_node n CROSS JOIN log_entry e WHERE n.id = s.node_id "
    "AND e.\"index\" = s.from_index AND n.kind = 'artifact' AND s.status IN ('failed', 'expired') "
)
_BY_ENTRIES = (
    "AND s.from_index >= %s AND s.from_index < %s "
    "AND s.from_us <= e.received_us AND e.received_us < s.until_us "
    "AND NOT EXISTS (SELECT 1 FROM graph_status b WHERE b.node_id = s.node_id AND b.to_index = s.from_index "
    "AND b.status = s.status AND b.from_us <= e.received_us AND e.received_us < b.until_us" + PROBE + ")"
)
"""The status with which an entry left a node, unless it had the same before."""
_BY_TIME = (
    "AND s.from_us > e.received_us AND s.from_us > %s AND s.from_us <= %s AND s.from_index < %s "
    'AND (s.to_index IS NULL OR EXISTS (SELECT 1 FROM log_entry c WHERE c."index" = s.to_index '
    "AND c.received_us > s.from_us" + PROBE + ")) "
    "AND NOT EXISTS (SELECT 1 FROM graph_status b WHERE b.node_id = s.node_id "
    "AND b.from_index = s.from_index AND b.until_us = s.from_us AND b.status = s.status" + PROBE + ")"
)
"""The status into which a node came while no entry was about it."""


def any_by_entries(window: Window) -> bool:
    return bool(fetch(f"SELECT 1 {_TABLES}{_BY_ENTRIES} LIMIT 1", _entries(window)))


def any_by_time(window: Window) -> bool:
    """Reads all of the status history: 0.3 s where there are a million copies."""
    return bool(fetch(f"SELECT 1 {_TABLES}{_BY_TIME} LIMIT 1", _times(window)))


def news(window: Window, limit: int) -> list[News]:
    """At most `limit` of them, what failed first, then in order of time."""
    order = "ORDER BY s.status DESC, s.from_index, s.node_id LIMIT %s"
    rows = fetch(
        f"SELECT {_COLUMNS} e.received_us {_TABLES}{_BY_ENTRIES} {order}", [*_entries(window), limit]
    )
    rows += fetch(f"SELECT {_COLUMNS} s.from_us {_TABLES}{_BY_TIME} {order}", [*_times(window), limit])
    found = [_news(row) for row in rows]
    found.sort(key=lambda one: (one.status != "failed", one.at_us, one.index, one.node))
    return found[:limit]


def counts(window: Window) -> dict[str, int]:
    """How many there are in all by status, those that are 0 too."""
    totals = dict.fromkeys(BAD, 0)
    for condition, params in ((_BY_ENTRIES, _entries(window)), (_BY_TIME, _times(window))):
        for status, count in fetch(
            f"SELECT s.status, count(*) {_TABLES}{condition} GROUP BY s.status", params
        ):
            totals[status] += count
    return totals


def _entries(window: Window) -> list[object]:
    return [window.from_index, window.to_index]


def _times(window: Window) -> list[object]:
    return [window.from_us, window.to_us, window.to_index]


def _news(row: Row) -> News:
    node, key, status, reasons, index, at_us = row
    return News(node, key, status, tuple(reasons.split(",")) if reasons else (), index, at_us)
