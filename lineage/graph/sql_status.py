"""Statuses over the whole graph at a moment: how many of each, what changed last, how old checks are.

Owns: reading the status history in bulk. Does not own: what makes a status (`graph.status`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from dataclasses import dataclass

from lineage.graph.model import ClaimKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch

EXCEPTIONS = ("failed", "expired", "unverified")
_HOLDS = "s.from_index < %s AND (s.to_index IS NULL OR %s <= s.to_index)"


@dataclass(frozen=True, slots=True)
class Census:
    """Nodes by (kind, status): exact from the moment asked for until `until_us`, when time changes one."""

    counts: dict[tuple[str, str], int]
    until_us: int


def census(moment: Moment) -> Census:
    """Every node that has a status, once."""
    at = moment.at_us
    sql = (
        "SELECT n.kind, s.status, SUM(CASE WHEN s.from_us <= %s AND %s < s.until_us THEN 1 ELSE 0 END), "
        "MIN(CASE WHEN s.from_us > %s THEN s.from_us WHEN s.until_us > %s THEN s.until_us END) "
        f"FROM graph_status s CROSS JOIN graph_node n WHERE n.id = s.node_id AND {_HOLDS} "
        "GROUP BY n.kind, s.status"
    )
    rows = fetch(sql, [at, at, at, at, moment.size, moment.size])
    counts = {(kind, status): int(count) for kind, status, count, _ in rows if count}
    return Census(counts, min((until for *_, until in rows if until is not None), default=2**63 - 1))


def of_role(role: str, moment: Moment) -> dict[str, int]:
    """Artifacts with this role by status."""
    sql = (
        "SELECT s.status, count(*) FROM (SELECT DISTINCT c.node_id FROM graph_claim c WHERE c.kind = %s "
        'AND c.value = %s AND c."index" < %s) r CROSS JOIN graph_status s WHERE s.node_id = r.node_id '
        f"AND {_HOLDS} AND s.from_us <= %s AND %s < s.until_us GROUP BY s.status"
    )
    size, at = moment.size, moment.at_us
    return dict(fetch(sql, [ClaimKind.ROLE, role, size, size, size, at, at]))


@dataclass(frozen=True, slots=True)
class Change:
    """A node that came into an exceptional status. `at_us`: by which entry's time, or when time alone did it.

    `before` is the status that it had until then; empty where the node was new.
    """

    node: int
    status: str
    reasons: tuple[str, ...]
    before: str
    at_us: int
    index: int


def changes(moment: Moment, limit: int) -> list[Change]:
    """The newest changes to an exceptional status that still hold, newest first."""
    found = {row[0]: row for row in _by_entries(moment, limit) + _by_time(moment, limit)}
    listed = [Change(n, status, _reasons(reasons), "", at, i) for n, status, reasons, at, i in found.values()]
    listed.sort(key=lambda change: (-change.at_us, -change.index, change.node))
    result = []
    for change in listed:
        before = _before(change)
        if before != change.status:
            result.append(
                Change(change.node, change.status, change.reasons, before, change.at_us, change.index)
            )
        if len(result) == limit:
            break
    return result


def _reasons(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _by_entries(moment: Moment, limit: int) -> list[tuple[int, str, str, int, int]]:
    """Statuses by the newest entries that opened them. Twice as many: some only changed their reasons."""
    sql = (
        "SELECT s.node_id, s.status, s.reasons, CASE WHEN s.from_us > e.received_us THEN s.from_us "
        "ELSE e.received_us END, s.from_index FROM graph_status s CROSS JOIN log_entry e "
        f"WHERE {_HOLDS} AND s.from_us <= %s AND %s < s.until_us AND s.status IN (%s, %s, %s) "
        'AND e."index" = s.from_index ORDER BY s.from_index DESC LIMIT %s'
    )
    size, at = moment.size, moment.at_us
    return [(n, s, r, t, i) for n, s, r, t, i in fetch(sql, [size, size, at, at, *EXCEPTIONS, 2 * limit])]


def _by_time(moment: Moment, limit: int) -> list[tuple[int, str, str, int, int]]:
    """Statuses that began between entries, because time went by."""
    sql = (
        "SELECT s.node_id, s.status, s.reasons, s.from_us, s.from_index FROM graph_status s "
        "CROSS JOIN log_entry e WHERE s.status = 'expired' AND s.to_index IS NULL AND s.from_index < %s "
        'AND s.from_us <= %s AND %s < s.until_us AND e."index" = s.from_index AND s.from_us > e.received_us '
        "ORDER BY s.from_us DESC, s.node_id LIMIT %s"
    )
    at = moment.at_us
    return [(n, s, r, t, i) for n, s, r, t, i in fetch(sql, [moment.size, at, at, limit])]


def _before(change: Change) -> str:
    """The status just before the change: an instant earlier by the same entries, or before its entry."""
    sql = (
        "SELECT s.status FROM graph_status s WHERE s.node_id = %s AND "
        "((s.from_index = %s AND s.from_us < %s AND s.until_us = %s) OR "
        "(s.to_index = %s AND s.from_us <= %s AND %s < s.until_us)) ORDER BY s.from_index DESC LIMIT 1"
    )
    at, index = change.at_us, change.index
    rows = fetch(sql, [change.node, index, at, at, index, at, at])
    return rows[0][0] if rows else ""


@dataclass(frozen=True, slots=True)
class CheckAges:
    """Microseconds, UTC: the newest check of all, and the copy whose last check is oldest; None: no check."""

    newest_us: int | None
    oldest_us: int | None


def check_ages(moment: Moment) -> CheckAges:
    newest = fetch(
        'SELECT at_us FROM graph_check WHERE "index" < %s ORDER BY at_us DESC LIMIT 1', [moment.size]
    )
    sql = (
        "SELECT MIN(last) FROM (SELECT MAX(at_us) AS last FROM graph_check "
        'WHERE "index" < %s GROUP BY node_id, location) copies'
    )
    oldest = fetch(sql, [moment.size])
    return CheckAges(newest[0][0] if newest else None, oldest[0][0])
