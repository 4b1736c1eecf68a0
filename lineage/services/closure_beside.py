"""Who signed the nodes of a closure, and where they lie: what a picture of it can be filtered by.

Owns: reading that for thousands of nodes at once. Does not own: the closure (`lineage_whole`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from lineage.graph import sql_nodes
from lineage.graph.model import EdgeType
from lineage.graph.sql_query import fetch, text_table
from lineage.services import belief
from lineage.services.as_of import AsOf
from lineage.services.node_names import shown_name

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


def signers(keys: Collection[str], as_of: AsOf, wanted: str = "") -> list[Beside]:
    """Who signed a statement about any of the nodes that is believed, by name; the nodes of one of them."""
    source, params = _attested(keys, as_of)
    counts: dict[str, int] = dict(
        fetch(f"SELECT s.key, COUNT(DISTINCT n.id) {source} GROUP BY s.key", params)
    )
    nodes = None
    if wanted:
        nodes = frozenset(
            r[0] for r in fetch(f"SELECT DISTINCT n.key {source} AND s.key = %s", [*params, wanted])
        )
    names = _names(counts, as_of)
    found = [
        Beside(signer, names.get(signer, signer), count, nodes if signer == wanted else None)
        for signer, count in counts.items()
    ]
    return sorted(found, key=lambda each: (each.name, each.key))


def _attested(keys: Collection[str], as_of: AsOf) -> tuple[str, list[object]]:
    """From where the nodes `n` with their believed signers `s` come, and its parameters."""
    table, texts = text_table(keys)
    valid, revocations = belief.moment(as_of).unrevoked("c")
    source = (
        f"FROM {table} k CROSS JOIN graph_node n CROSS JOIN graph_claim c CROSS JOIN graph_node s "
        "WHERE n.key = k.value AND c.node_id = n.id AND c.kind = 'attested' "
        f'AND c."index" < %s{valid} AND s.id = c.signer_id'
    )
    return source, [*texts, as_of.size, *revocations]


def places(keys: Collection[str], links: Iterable[Link], as_of: AsOf) -> list[Beside]:
    """Where the nodes lie: by name, each also with what lies in a place within it.

    A run happened where its machines stand: `links` are the closure's.
    """
    at = _located(keys, as_of)
    within = _within({place for _, place in at}, as_of)
    by_node: dict[str, set[str]] = {}
    for node, place in at:
        by_node.setdefault(node, set()).update({place, *within.get(place, ())})
    for source, kind, target in links:
        if kind == EdgeType.WAS_ASSOCIATED_WITH and target in by_node:
            by_node.setdefault(source, set()).update(by_node[target])
    names = _names({place for places in by_node.values() for place in places}, as_of)
    return _gathered([(node, place) for node, places in by_node.items() for place in places], names)


def _located(keys: Collection[str], as_of: AsOf) -> list[tuple[str, str]]:
    table, texts = text_table(keys)
    sql = (
        f"SELECT n.key, p.key FROM {table} k CROSS JOIN graph_node n CROSS JOIN graph_edge e "
        "CROSS JOIN graph_node p WHERE n.key = k.value AND e.source_id = n.id AND e.type = %s "
        "AND e.first_index < %s AND p.id = e.target_id"
    )
    return [(node, place) for node, place in fetch(sql, [*texts, EdgeType.AT_LOCATION, as_of.size])]


def _within(places: set[str], as_of: AsOf) -> Mapping[str, set[str]]:
    """What each place lies in, directly or through others."""
    within: dict[str, set[str]] = {place: set() for place in places}
    rest = places
    for _ in range(MAX_HOPS):
        found = _located(sorted(rest), as_of) if rest else []
        for inner, outer in found:
            for above in within.values():
                if inner in above:
                    above.add(outer)
            within.setdefault(inner, set()).add(outer)
        rest = {outer for _, outer in found} - within.keys()
    return within


def _gathered(pairs: Iterable[Sequence[str]], names: Mapping[str, str]) -> list[Beside]:
    nodes: dict[str, set[str]] = {}
    for node, other in pairs:
        nodes.setdefault(other, set()).add(node)
    found = [
        Beside(key, names.get(key, key), len(members), frozenset(members)) for key, members in nodes.items()
    ]
    return sorted(found, key=lambda each: (each.name, each.key))


def _names(keys: Collection[str], as_of: AsOf) -> dict[str, str]:
    """By node key. Not by summaries: those would find out first what is tainted."""
    ring, rows = belief.ring(as_of), sql_nodes.rows_of(keys)
    return {
        row.key: shown_name(row, ring) for row in sql_nodes.load(list(rows.values()), belief.moment(as_of))
    }
