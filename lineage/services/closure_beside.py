"""Who signed the nodes of a closure, and where they lie: what a picture of it can be filtered by.

Owns: reading that for thousands of nodes at once. Does not own: the closure (`lineage_whole`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

import msgspec

from lineage.graph import sql_nodes
from lineage.graph.model import EdgeType
from lineage.graph.sql_moment import Moment
from lineage.graph.sql_query import fetch, id_table
from lineage.services.lineage_nodes import Reader
from lineage.services.node_names import name_of_key

Link = tuple[str, str, str]
MAX_HOPS = 3
"""From a place to what it lies in: a site, its jurisdiction, and one more."""


class Beside(msgspec.Struct, frozen=True):
    """`name` of a signer or place, of how many of the closure's nodes it says something, and their keys.

    `nodes` is None where they were not asked for.
    """

    key: str
    name: str
    count: int
    nodes: frozenset[str] | None


class Named(msgspec.Struct, frozen=True):
    id: int
    key: str
    name: str


def signers(rows: Mapping[int, str], reader: Reader, wanted: str = "") -> list[Beside]:
    """Who signed a statement about any of the nodes that is believed, by name; the nodes of one of them.

    `rows`: node keys by row id.
    """
    source, params = _attested(rows, reader.moment)
    counts: dict[int, int] = dict(
        fetch(f"SELECT c.signer_id, COUNT(DISTINCT c.node_id) {source} GROUP BY c.signer_id", params)
    )
    found = list[Beside]()
    for row in _named(counts, reader):
        nodes = None
        if row.key == wanted:
            # The unary plus keeps the planner from reading all that the signer ever said, for each node.
            signed = fetch(f"SELECT DISTINCT c.node_id {source} AND +c.signer_id = %s", [*params, row.id])
            nodes = frozenset(rows[number] for (number,) in signed)
        found.append(Beside(row.key, row.name, counts[row.id], nodes))
    return sorted(found, key=lambda each: (each.name, each.key))


def _attested(rows: Collection[int], moment: Moment) -> tuple[str, list[object]]:
    """From where the believed claims `c` of statements about the nodes come, and its parameters."""
    table, listed = id_table(rows)
    valid, revocations = moment.unrevoked("c")
    source = (
        f"FROM {table} k CROSS JOIN graph_claim c "
        f"WHERE c.node_id = k.id AND c.kind = 'attested' AND c.\"index\" < %s{valid}"
    )
    return source, [*listed, moment.size, *revocations]


def places(rows: Mapping[int, str], links: Iterable[Link], reader: Reader, wanted: str = "") -> list[Beside]:
    """Where the nodes lie: by name, each also with what lies in a place within it; the nodes of one of them.

    A run happened where its machines stand: `links` are the closure's. `rows`: node keys by row id.
    """
    size = reader.moment.size
    at = _located(rows, size)
    within = _within({place for _, place in at}, size)
    lies: dict[str, frozenset[int]] = {}  # node key → row ids of its places: few sets for many nodes
    for node, place in at:
        key, there = rows[node], within[place]
        lies[key] = lies[key] | there if key in lies else there
    for source, kind, target in links:
        if kind == EdgeType.WAS_ASSOCIATED_WITH and target in lies:
            lies[source] = lies[source] | lies[target] if source in lies else lies[target]
    counts = Counter[int]()
    for there, count in Counter(lies.values()).items():
        counts.update(dict.fromkeys(there, count))
    found = list[Beside]()
    for row in _named(counts, reader):
        nodes = None
        if row.key == wanted:
            nodes = frozenset(key for key, there in lies.items() if row.id in there)
        found.append(Beside(row.key, row.name, counts[row.id], nodes))
    return sorted(found, key=lambda each: (each.name, each.key))


def _located(ids: Collection[int], size: int) -> list[tuple[int, int]]:
    """(row id, row id of a place where it lies)."""
    table, listed = id_table(ids)
    sql = (
        f"SELECT e.source_id, e.target_id FROM {table} k CROSS JOIN graph_edge e "
        "WHERE e.source_id = k.id AND e.type = %s AND e.first_index < %s"
    )
    return [(node, place) for node, place in fetch(sql, [*listed, EdgeType.AT_LOCATION, size])]


def _within(places: Collection[int], size: int) -> Mapping[int, frozenset[int]]:
    """What each place lies in, directly or through others, and itself."""
    within = {place: {place} for place in places}
    rest = set(places)
    for _ in range(MAX_HOPS):
        found = _located(sorted(rest), size) if rest else []
        for inner, outer in found:
            for above in within.values():
                if inner in above:
                    above.add(outer)
            within.setdefault(inner, {inner}).add(outer)
        rest = {outer for _, outer in found} - within.keys()
    return {place: frozenset(above) for place, above in within.items()}


def _named(ids: Collection[int], reader: Reader) -> list[Named]:
    return [
        Named(row.id, row.key, row.name or name_of_key(row.key, reader.ring))
        for row in sql_nodes.briefs(ids, reader.moment)
    ]
