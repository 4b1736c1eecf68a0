"""What a thing affects: models and deployments that came of it, by how far away, with one way there each.

Of an artifact or run what was made from it; of a key, supplier, machine or place also what was signed,
supplied, run or lies there, and what came of that. Owns: choosing and ordering them. Does not own: the walk
(`graph.sql_walk`), the paths (`lineage_closure`), or what is tainted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from lineage.errors import MalformedError
from lineage.graph import sql_nodes, sql_walk
from lineage.graph.backend import Direction, Way
from lineage.graph.model import NodeKind
from lineage.services import lineage_closure
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import NodeSummary

SHOWN_KINDS = ("model", "adapter", NodeKind.DEPLOYMENT.value)
"""Roles and kinds that are listed; of the others there are counts."""
PAGE = 25


class Hop(msgspec.Struct, frozen=True):
    """How much is `hops` edges away: in all, and of what is listed."""

    hops: int
    total: int
    listed: int


class Affected(msgspec.Struct, frozen=True):
    """A model or deployment; `path` leads from the thing that was asked about to it, both included."""

    node: NodeSummary
    hops: int
    path: tuple[NodeSummary, ...]


class Impact(msgspec.Struct, frozen=True):
    """One page of what is affected, nearest first, with the counts of all. The root is in none of them.

    `listed_total`: models and deployments in all. `next` continues the list, None at its end.
    """

    root: NodeSummary
    tree_size: int
    projected: int
    total: int
    counts_by_kind: dict[str, int]
    by_hop: tuple[Hop, ...]
    listed_total: int
    affected: tuple[Affected, ...]
    next: str | None


class Reached:
    """The walk, once: what is listed of it, nearest first, then as the log first named them.

    Raises: NotFoundError where the node was not known at the moment.
    """

    def __init__(self, key: str, as_of: AsOf) -> None:
        self.reader = Reader(as_of)
        self.as_of, self.key = as_of, key
        self.root, kind = lineage_closure.find(key, as_of)
        way = Way(Direction.DESCENDANTS, self.reader.moment.size)
        levels = sql_walk.levels(self.root, kind, way)[1:]
        self.hops = {node: hops for hops, level in enumerate(levels, 1) for node in level}
        self.hops.pop(self.root, None)
        of_kinds = sql_nodes.of_kinds(sorted(self.hops), SHOWN_KINDS, way.size)
        self.listed = sorted(of_kinds, key=lambda node: (self.hops[node], node))

    def by_hop(self) -> tuple[Hop, ...]:
        totals, listed = Counter(self.hops.values()), Counter(self.hops[node] for node in self.listed)
        return tuple(Hop(hops, totals[hops], listed[hops]) for hops in sorted(totals))

    def affected(self, nodes: list[int]) -> Iterator[Affected]:
        """With one way there each."""
        found = self.reader.summaries(nodes)
        for node in nodes:
            if node in found:
                paths = lineage_closure.paths(self.key, found[node].key, self.as_of, limit=1)
                path = paths[0].nodes if paths else ()
                yield Affected(found[node], self.hops[node], tuple(path))


def impact(key: str, as_of: AsOf, *, after: str | None = None, limit: int = PAGE) -> Impact:
    """What the node affects.

    Raises: NotFoundError where it was not known at the moment; MalformedError for a cursor that is none.
    """
    reached = Reached(key, as_of)
    start = _start(after)
    shown = reached.listed[start : start + limit]
    more = start + limit < len(reached.listed)
    return Impact(
        root=reached.reader.summaries([reached.root])[reached.root],
        tree_size=as_of.size,
        projected=as_of.projected,
        total=len(reached.hops),
        counts_by_kind=sql_nodes.counts_by_kind(list(reached.hops)),
        by_hop=reached.by_hop(),
        listed_total=len(reached.listed),
        affected=tuple(reached.affected(shown)),
        next=str(start + limit) if more else None,
    )


def all_affected(key: str, as_of: AsOf) -> Iterator[tuple[NodeSummary, int]]:
    """Every model and deployment with how far away it is, nearest first: for a file, without the ways there.

    Raises: NotFoundError at once, not while it is read.
    """
    return _each(Reached(key, as_of))


def _each(reached: Reached) -> Iterator[tuple[NodeSummary, int]]:
    for start in range(0, len(reached.listed), 500):
        chunk = reached.listed[start : start + 500]
        for number, node in reached.reader.summaries(chunk).items():
            yield node, reached.hops[number]


def _start(after: str | None) -> int:
    if not after:
        return 0
    if not (after.isascii() and after.isdigit() and len(after) < 10):
        raise MalformedError("This cursor belongs to no page of this list.", where="after")
    return int(after)
