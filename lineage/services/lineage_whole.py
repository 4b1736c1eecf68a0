"""A whole closure at once, for pictures: all nodes and plain links, or the counts alone where it is too big.

Owns: not reading what will not be shown. Does not own: pages and support (`lineage_closure`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lineage.graph.backend import Backend, Direction, Link, Walk
from lineage.graph.model import EdgeType, NodeKind
from lineage.services import graph_choice
from lineage.services.as_of import AsOf
from lineage.services.lineage_closure import count_statuses, root_of, shown_types
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import NodeSummary

LISTED = 2_000
"""Nodes that are asked for together with the counts; a bigger closure is first counted, then listed."""


class Whole(msgspec.Struct, frozen=True):
    """`total`, the counts and `nodes` leave the root out. `complete`: nodes and links are all there are;
    otherwise they are empty, because there are too many. `counts_by_status` is empty where the status tables
    are behind.
    """

    root: NodeSummary
    total: int
    counts_by_kind: dict[str, int]
    counts_by_status: dict[str, int]
    complete: bool
    nodes: tuple[NodeSummary, ...]
    links: tuple[Link, ...]
    backend: str


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

    def question(backend: Backend, moment: AsOf) -> Whole:
        walk = Walk(
            key, Direction(direction), moment.size, tuple(edges), tuple(kinds), depth, at_us=moment.at_us
        )
        root, listed = root_of(backend, key, moment), min(most, LISTED)
        page = backend.closure(walk, limit=listed)
        found = page.nodes if page.total <= listed else None
        if found is None and page.total <= most:
            found = backend.members(walk, most)
        reader, complete = Reader(moment), found is not None
        nodes = reader.of_refs([root, *(found or ())])
        links = backend.links_among(nodes, shown_types(walk, root), moment.size) if complete else []
        return Whole(
            root=nodes.pop(key),
            total=page.total,
            counts_by_kind=dict(page.counts_by_kind),
            counts_by_status=count_statuses(page, walk, reader, walk_again=True) or {},
            complete=complete,
            nodes=tuple(nodes.values()),
            links=tuple(links),
            backend=backend.name,
        )

    return graph_choice.answer(as_of, question)
