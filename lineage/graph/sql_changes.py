"""The difference of two moments: which nodes have another status, or are new, and how many of each.

Owns: comparing the status history at two moments. Does not own: what one entry did (`sql_consequences`), or
names.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from dataclasses import dataclass

from lineage.graph.sql_consequences import Turned, slugs
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import Row, fetch

WORST_FIRST = ("failed", "expired", "unverified", "verified")
_RANK = "CASE s.status WHEN 'failed' THEN 0 WHEN 'expired' THEN 1 WHEN 'unverified' THEN 2 ELSE 3 END"
_HOLDS = (
    "{0}.from_index < %s AND ({0}.to_index IS NULL OR %s <= {0}.to_index) "
    "AND {0}.from_us <= %s AND %s < {0}.until_us"
)
# A piece that holds at the later moment began after the earlier one by an entry, or by time alone; any other
# held then too. Each is found by its index.
_BY_ENTRIES = "s.from_index >= %s"
_BY_TIME = "+s.from_index < %s AND s.from_us > 0 AND s.from_us > %s"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page goes on: after this node among those of that status."""

    rank: int
    node: int


START = Place(-1, 0)


def place(turned: Turned) -> Place:
    """Where a page that ends with this node goes on."""
    return Place(WORST_FIRST.index(turned.after), turned.node)


_ONLY = {None: "", True: " AND was IS NULL", False: " AND was IS NOT NULL"}


def changed(
    earlier: Moment, later: Moment, after: Place, limit: int, *, new: bool | None = None
) -> list[Turned]:
    """Nodes whose status or its reasons differ, worst first, then as the log first named them.

    `new`: only those that had no status at the earlier moment, or only those that had one; None: both.
    """
    columns = (
        "s.node_id AS node, n.kind AS kind, b.status AS was, b.reasons AS why_was, s.status AS is_now, "
        f"s.reasons AS why, {_RANK} AS place"
    )
    parts, params = _parts(columns, earlier, later)
    sql = (
        f"SELECT node, kind, was, why_was, is_now, why FROM ({parts}) d "
        f"WHERE (place, node) > (%s, %s){_ONLY[new]} ORDER BY place, node LIMIT %s"
    )
    return [_turned(row) for row in fetch(sql, [*params, after.rank, after.node, limit])]


def counts(earlier: Moment, later: Moment) -> list[tuple[str, str, str, int]]:
    """(kind, status before, status after, how many nodes); a new node's status before is empty."""
    parts, params = _parts(
        "n.kind AS kind, COALESCE(b.status, '') AS was, s.status AS is_now", earlier, later
    )
    sql = (
        f"SELECT kind, was, is_now, count(*) FROM ({parts}) d GROUP BY kind, was, is_now "
        "ORDER BY kind, was, is_now"
    )
    return [(kind, was, now, int(count)) for kind, was, now, count in fetch(sql, params)]


def _parts(columns: str, earlier: Moment, later: Moment) -> tuple[str, list[object]]:
    one, other = _part(columns, _BY_ENTRIES), _part(columns, _BY_TIME)
    held = [later.size, later.size, later.at_us, later.at_us]
    then = [earlier.size, earlier.size, earlier.at_us, earlier.at_us]
    params: list[object] = [*then, *held, earlier.size, *then, *held, earlier.size, earlier.at_us]
    return f"{one} UNION ALL {other}", params


def _part(columns: str, began: str) -> str:
    return (
        f"SELECT {columns} FROM graph_status s JOIN graph_node n ON n.id = s.node_id "
        f"LEFT JOIN graph_status b ON b.node_id = s.node_id AND {_HOLDS.format('b')} "
        f"WHERE {_HOLDS.format('s')} AND {began} "
        "AND (b.node_id IS NULL OR b.status <> s.status OR b.reasons <> s.reasons)"
    )


def _turned(row: Row) -> Turned:
    node, kind, was, why_was, now, why = row
    return Turned(node, kind, was or "", slugs(why_was), now, slugs(why))


def added(first: int, end: int) -> dict[str, int]:
    """How many nodes of each kind entries from `first` to before `end` were the first to name."""
    sql = (
        "SELECT kind, count(*) FROM graph_node WHERE first_index >= %s AND first_index < %s "
        "GROUP BY kind ORDER BY kind"
    )
    return dict(fetch(sql, [first, end]))
