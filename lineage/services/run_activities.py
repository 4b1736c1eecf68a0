"""What runs are said to have been: training, evaluation … For lists and pictures of many runs."""

from __future__ import annotations

from collections.abc import Iterable

from lineage.graph.model import ClaimKind, NodeKind
from lineage.graph.sql_query import fetch, text_table
from lineage.services import belief
from lineage.services.as_of import AsOf


def activities(keys: Iterable[str], as_of: AsOf) -> dict[str, tuple[str, ...]]:
    """Node key → its activities by unrevoked claims, in alphabetical order. Runs without any are left out."""
    table, texts = text_table(keys)
    valid, revocations = belief.moment(as_of).unrevoked("c")
    sql = (
        f"SELECT DISTINCT n.key, c.value FROM {table} k "  # noqa: S608  (constants only; values are parameters)
        f"CROSS JOIN graph_node n CROSS JOIN graph_claim c WHERE n.key = k.value AND n.kind = %s "
        f'AND c.node_id = n.id AND c.kind = %s AND c."index" < %s{valid} ORDER BY n.key, c.value'
    )
    found: dict[str, tuple[str, ...]] = {}
    for key, activity in fetch(sql, [*texts, NodeKind.RUN, ClaimKind.ACTIVITY, as_of.size, *revocations]):
        found[key] = (*found.get(key, ()), activity)
    return found
