"""Which artifacts and runs a signed statement is about that is still believed, asked of very many at once.

Does not own: their statuses, which show the worst of what is found and not all of it (`sql_status`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lineage.graph.model import NodeKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import PROBE, fetch, id_table


@dataclass(frozen=True, slots=True)
class Stands:
    """Of an artifact or run: whether it has a digest, and whether a believed signed statement is about it."""

    kind: NodeKind
    digested: bool
    attested: bool


def attested(ids: Collection[int], moment: Moment) -> dict[int, Stands]:
    """How the artifacts and runs among these nodes stand, whatever else their statuses say."""
    table, listed = id_table(ids)
    valid, revocations = moment.unrevoked("c")
    about = (
        "SELECT 1 FROM graph_claim c WHERE c.node_id = n.id AND c.kind = 'attested' "
        f"AND c.trust = 'signed' AND c.\"index\" < %s{valid}{PROBE}"
    )
    sql = (
        f"SELECT n.id, n.kind, substr(n.key, 1, 4) <> 'uri:', EXISTS ({about}) FROM {table} r "
        "CROSS JOIN graph_node n WHERE n.id = r.id AND n.kind IN (%s, %s) AND n.first_index < %s"
    )
    params = [moment.size, *revocations, *listed, NodeKind.ARTIFACT, NodeKind.RUN, moment.size]
    rows = fetch(sql, params)
    return {number: Stands(NodeKind(kind), bool(digested), bool(is_)) for number, kind, digested, is_ in rows}
