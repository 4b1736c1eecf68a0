"""What runs are said to have been: training, evaluation … For lists and pictures of many runs."""

from __future__ import annotations

from collections.abc import Iterable

from lineage.graph.model import ClaimKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, id_table


def activities(runs: Iterable[int], moment: Moment) -> dict[int, tuple[str, ...]]:
    """Row id → its activities by unrevoked claims, in alphabetical order. Runs without any are left out."""
    table, listed = id_table(runs)
    valid, revocations = moment.unrevoked("c")
    sql = (
        f"SELECT DISTINCT k.id, c.value FROM {table} k "  # noqa: S608  (constants only; values are parameters)
        "CROSS JOIN graph_claim c WHERE c.node_id = k.id "
        f'AND c.kind = %s AND c."index" < %s{valid} ORDER BY k.id, c.value'
    )
    found: dict[int, tuple[str, ...]] = {}
    for run, activity in fetch(sql, [*listed, ClaimKind.ACTIVITY, moment.size, *revocations]):
        found[run] = (*found.get(run, ()), activity)
    return found
