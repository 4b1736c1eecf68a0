"""A whole closure at once, for pictures: all nodes and plain links, or the counts alone where it is too big.

Owns: not reading what will not be shown. Does not own: pages and support (`lineage_closure`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from lineage.graph import sql_links, sql_nodes, sql_walk
from lineage.graph.backend import OPENING_EDGES, OPENING_KINDS, Direction
from lineage.graph.model import EdgeType, NodeKind
from lineage.graph.sql_walk import Walk
from lineage.services.as_of import AsOf
from lineage.services.lineage_closure import find
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import NodeSummary

Link = tuple[str, str, str]
"""Key of the effect, edge type, key of the cause."""


class Whole(msgspec.Struct, frozen=True):
    """`total`, the counts and `nodes` leave the root out. `complete`: nodes and links are all there are;
    otherwise they are empty, because there are too many.
    """

    root: NodeSummary
    total: int
    counts_by_kind: dict[str, int]
    counts_by_status: dict[str, int]
    complete: bool
    nodes: tuple[NodeSummary, ...]
    links: tuple[Link, ...]


def whole(
    key: str,
    direction: str,
    as_of: AsOf,
    *,
    depth: int,
    kinds: Sequence[NodeKind] = (),
    edges: Sequence[EdgeType] = (),
    most: int,
) -> Whole:
    """The closure of a node, with its nodes and links if there are at most `most`.

    The other arguments are those of `lineage_closure.closure`. Raises: NotFoundError.
    """
    walk = Walk(Direction(direction), as_of.size, tuple(edges))
    root, kind = find(key, as_of)
    ids = sql_walk.closure(root, kind, walk, depth)
    if kinds:
        ids = sql_nodes.of_kinds(ids, kinds, as_of.size)
    reader = Reader(as_of)
    by_kind, by_status = Counter[str](), Counter[str]()
    for (node_kind, status), count in sql_nodes.counts(ids, reader.moment).items():
        by_kind[node_kind] += count
        by_status[status] += count
    complete = len(ids) <= most
    nodes = reader.summaries([root, *ids] if complete else [root])
    types: tuple[EdgeType, ...] = walk.followed
    if not walk.types and kind in OPENING_KINDS:
        types = (*types, *OPENING_EDGES)
    links = sql_links.among(nodes, types, as_of.size) if complete else []
    keys = {number: node.key for number, node in nodes.items()}
    return Whole(
        root=nodes.pop(root),
        total=len(ids),
        counts_by_kind=dict(by_kind),
        counts_by_status=dict(by_status),
        complete=complete,
        nodes=tuple(nodes.values()),
        links=tuple((keys[source], kind, keys[target]) for source, kind, target in links),
    )
