"""Who signed the nodes of a closure, and where they lie: what a picture of it can be filtered by.

Owns: reading that for thousands of nodes at once. Does not own: the closure (`lineage_whole`).
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from lineage.graph.model import EdgeType
from lineage.graph.sql_query import fetch, text_table
from lineage.services import belief
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader

Link = tuple[str, str, str]
MAX_HOPS = 3
"""From a place to what it lies in: a site, its jurisdiction, and one more."""


class Beside(msgspec.Struct, frozen=True):
    """`name` of a signer or place, and the keys of the closure's nodes that it signed or that lie there."""

    key: str
    name: str
    nodes: frozenset[str]


def signers(keys: Collection[str], as_of: AsOf) -> list[Beside]:
    """Who signed a statement about any of the nodes that is believed, by name."""
    table, texts = text_table(keys)
    valid, revocations = belief.moment(as_of).unrevoked("c")
    sql = (
        f"SELECT DISTINCT n.key, s.key FROM {table} k CROSS JOIN graph_node n CROSS JOIN graph_claim c "
        f"CROSS JOIN graph_node s WHERE n.key = k.value AND c.node_id = n.id AND c.kind = 'attested' "
        f'AND c."index" < %s{valid} AND s.id = c.signer_id'
    )
    found = fetch(sql, [*texts, as_of.size, *revocations])
    return _gathered(found, as_of)


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
    return _gathered([(node, place) for node, places in by_node.items() for place in places], as_of)


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


def _gathered(pairs: Sequence[Sequence[str]], as_of: AsOf) -> list[Beside]:
    nodes: dict[str, set[str]] = {}
    for node, other in pairs:
        nodes.setdefault(other, set()).add(node)
    names = _names(sorted(nodes), as_of)
    found = [Beside(key, names.get(key, key), frozenset(members)) for key, members in nodes.items()]
    return sorted(found, key=lambda each: (each.name, each.key))


def _names(keys: Sequence[str], as_of: AsOf) -> dict[str, str]:
    table, texts = text_table(keys)
    sql = f"SELECT n.id FROM {table} k CROSS JOIN graph_node n WHERE n.key = k.value"
    summaries = Reader(as_of).summaries([row[0] for row in fetch(sql, texts)])
    return {node.key: node.name for node in summaries.values()}
