"""Lists of nodes as of a moment: filtered, newest first, in pages, with their number.

Owns: which index a filter is served from. Does not own: what a text means (`sql_find`), or what is shown of
a node (`sql_nodes`).

A page is streamed from an index in the order of node ids, so that its cost does not depend on how many there
are. Counting can't be: it takes the covering index where the graph stands exactly at the tree size asked
for, which is the common case, and looks at each row's first index otherwise.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lineage.graph.model import ClaimKind, NodeKind
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import PROBE, Sql, fetch, id_table

_STANDS = "(SELECT projected FROM graph_state WHERE id = 1)"


@dataclass(frozen=True, slots=True)
class Filter:
    """What all listed nodes have; None: anything. `ids`: one of these nodes; `but`: none of these."""

    kind: NodeKind | None = None
    role: str | None = None
    status: str | None = None
    ids: Collection[int] | None = None
    but: Collection[int] | None = None


def page(wanted: Filter, moment: Moment, before: int | None, limit: int) -> list[int]:
    """At most `limit` ids, descending, below `before`."""
    if _by_status(wanted):
        sql, params = _select_open(wanted, moment, PROBE)
        order, ordered = _end("s.node_id", before, limit)
        rows = fetch(f"SELECT s.node_id, {_STANDS} {sql}{order}", [*params, *ordered])
        stood = rows[0][1] if rows else fetch(f"SELECT {_STANDS}")[0][0]
        if stood == moment.size:
            return [row[0] for row in rows]
    column, distinct, sql, params = _select(wanted, moment, PROBE)
    order, ordered = _end(column, before, limit)
    return [row[0] for row in fetch(f"SELECT {distinct} {column} {sql}{order}", [*params, *ordered])]


def total(wanted: Filter, moment: Moment) -> int:
    """How many nodes the filter lets through."""
    if _by_status(wanted):
        sql, params = _select_open(wanted, moment)
        ((count, stands),) = fetch(f"SELECT (SELECT count(*) {sql}), {_STANDS}", params)
        if stands == moment.size:
            return int(count)
    column, distinct, sql, params = _select(wanted, moment)
    alone = wanted.kind is None or wanted.role is None
    if alone and wanted.status is None and wanted.ids is None and wanted.but is None:
        loose, known = _select_all(wanted)
        ((count, stands),) = fetch(f"SELECT (SELECT count({distinct} {column}) {loose}), {_STANDS}", known)
        if stands == moment.size:
            return int(count)
    ((count,),) = fetch(f"SELECT count({distinct} {column}) {sql}", params)
    return int(count)


def _by_status(wanted: Filter) -> bool:
    """Whether to enter by the index of open statuses. Verified is what most are: no filter to enter by."""
    return wanted.status not in {None, "verified"} and wanted.ids is None


def _end(column: str, before: int | None, limit: int) -> Sql:
    below, params = ("", list[object]()) if before is None else (f" AND {column} < %s", [before])
    return f"{below} ORDER BY {column} DESC LIMIT %s", [*params, limit]


def _select(wanted: Filter, moment: Moment, probe: str = "") -> tuple[str, str, str, list[object]]:
    """The id's column, whether it repeats, and FROM … WHERE …"""
    if wanted.role is not None and wanted.ids is None:
        sql = 'FROM graph_claim c WHERE c.kind = %s AND c.value = %s AND c."index" < %s'
        params: list[object] = [ClaimKind.ROLE, wanted.role, moment.size]
        others = Filter(wanted.kind, None, wanted.status, None, wanted.but)
        rest, more = _conditions("c.node_id", others, moment, probe)
        return "c.node_id", "DISTINCT", sql + rest, params + more
    sql, params = "FROM graph_node n WHERE n.first_index < %s", [moment.size]
    if wanted.kind is not None:
        sql, params = sql + " AND n.kind = %s", [*params, wanted.kind]
    rest, more = _conditions(
        "n.id", Filter(None, wanted.role, wanted.status, wanted.ids, wanted.but), moment, probe
    )
    return "n.id", "", sql + rest, params + more


def _select_all(wanted: Filter) -> Sql:
    """As `_select` with nothing but a kind or role, whatever the tree size: served from the index alone."""
    if wanted.role is not None:
        return "FROM graph_claim c WHERE c.kind = %s AND c.value = %s", [ClaimKind.ROLE, wanted.role]
    if wanted.kind is not None:
        return "FROM graph_node n WHERE n.kind = %s", [wanted.kind]
    return "FROM graph_node n", []


def _select_open(wanted: Filter, moment: Moment, probe: str = "") -> Sql:
    """Nodes by the status that is still open: right only where the graph stands at the tree size."""
    sql = (
        "FROM graph_status s WHERE s.status = %s AND s.to_index IS NULL AND s.from_us <= %s "
        "AND %s < s.until_us AND s.from_index < %s"
    )
    params = [wanted.status, moment.at_us, moment.at_us, moment.size]
    rest, more = _conditions(
        "s.node_id", Filter(wanted.kind, wanted.role, None, None, wanted.but), moment, probe
    )
    return sql + rest, [*params, *more]


def _conditions(column: str, wanted: Filter, moment: Moment, probe: str) -> Sql:
    """Further conditions on the node whose id is `column`; each ends with `probe`."""
    sql, params = "", list[object]()
    if wanted.kind is not None:
        sql += f" AND EXISTS (SELECT 1 FROM graph_node k WHERE k.id = {column} AND k.kind = %s{probe})"
        params += [wanted.kind]
    if wanted.role is not None:
        sql += (
            " AND EXISTS (SELECT 1 FROM graph_claim r WHERE r.kind = %s AND r.value = %s "
            f'AND r.node_id = {column} AND r."index" < %s{probe})'
        )
        params += [ClaimKind.ROLE, wanted.role, moment.size]
    if wanted.status is not None:
        sql += (
            f" AND EXISTS (SELECT 1 FROM graph_status t WHERE t.node_id = {column} "
            "AND t.from_index < %s AND (t.to_index IS NULL OR %s <= t.to_index) "
            f"AND t.from_us <= %s AND %s < t.until_us AND t.status = %s{probe})"
        )
        params += [moment.size, moment.size, moment.at_us, moment.at_us, wanted.status]
    for ids, word in ((wanted.ids, "IN"), (wanted.but, "NOT IN")):
        if ids is not None:
            table, listed = id_table(ids)
            sql += f" AND {column} {word} {table}"
            params += listed
    return sql, params
