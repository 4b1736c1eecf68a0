"""Which deployments have ended at a moment, and what the live ones use.

Owns: reading that. A deployment has ended by what was said of it last: one that was put to use again lives.
Does not own: whom to believe (`sql_moment`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from lineage.graph.model import ClaimKind, EdgeType
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import PROBE, fetch, id_table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def ended(ids: Collection[int], moment: Moment) -> dict[int, str]:
    """Of these deployments those that had ended, with when, as the newest statement about each says.

    A time is the signer's own, RFC 3339. A statement without an end opens the deployment again.
    """
    table, listed = id_table(ids)
    valid, revocations = moment.unrevoked("c")
    newer, about_revocations = moment.unrevoked("a")
    sql = (
        f"SELECT c.node_id, c.value FROM {table} r CROSS JOIN graph_claim c WHERE c.node_id = r.id "
        f'AND c.kind = %s AND c."index" < %s{valid} AND NOT EXISTS (SELECT 1 FROM graph_claim a '
        f'WHERE a.node_id = c.node_id AND a.kind = %s AND a."index" > c."index" AND a."index" < %s{newer}'
        f'{PROBE}) ORDER BY c."index"'
    )
    size = moment.size
    params = [*listed, ClaimKind.ENDED, size, *revocations, ClaimKind.ATTESTED, size, *about_revocations]
    newest: dict[int, str] = dict(fetch(sql, params))  # an end that was put off later is the one that counts
    return {node: text for node, text in newest.items() if _us(text) <= moment.at_us}


def _us(text: str) -> int:
    """Microseconds since the epoch."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def used_by(deployments: Collection[int], size: int) -> set[int]:
    """What these deployments use, as of a tree size."""
    table, listed = id_table(deployments)
    sql = (
        f"SELECT e.target_id FROM {table} r CROSS JOIN graph_edge e "
        "WHERE e.source_id = r.id AND e.type = %s AND e.first_index < %s"
    )
    return {row[0] for row in fetch(sql, [*listed, EdgeType.USED, size])}
