"""What a thing affects: models, AI systems and deployments that came of it, by how far away, one way each.

Of an artifact or run what was made from it; of a key, supplier, machine or place also what was signed,
supplied, run or lies there, and what came of that. Owns: choosing and ordering them. Does not own: the walk
(a `graph.backend`), the paths (`lineage_closure`), or what is tainted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from lineage.graph import sql_deployments
from lineage.graph.backend import Direction, Walk
from lineage.graph.model import NodeKind
from lineage.graph.sql_backend import SqlBackend
from lineage.services import graph_choice, lineage_closure, moment_cursor
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import NodeSummary

LISTED_ROLES = ("model", "adapter", "system")
"""Roles that are listed, beside deployments; of all else there are counts."""
PAGE = 25


class Hop(msgspec.Struct, frozen=True):
    """How much is `hops` edges away: in all, and of what is listed."""

    hops: int
    total: int
    listed: int


class Affected(msgspec.Struct, frozen=True):
    """A model, AI system or deployment; `path` leads from the thing asked about to it, both included.

    `live`: a deployment that has not ended, or what such a one uses. `ended`: when a deployment did.
    """

    node: NodeSummary
    hops: int
    path: tuple[NodeSummary, ...]
    live: bool = False
    ended: str = ""


class Impact(msgspec.Struct, frozen=True):
    """One page of what is affected, nearest first, with the counts of all. The root is in none of them.

    `listed_total`: models, AI systems and deployments in all, of which `live_total` are live. `next`
    continues the list, None at its end.
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
    live_total: int = 0
    backend: str = "sql"


class Reached:
    """The walk, once: what is listed of it, nearest first, then as the log first named them.

    `live`: list only what is. Raises: NotFoundError where the node was not known at the moment.
    """

    def __init__(self, key: str, as_of: AsOf, *, live: bool = False) -> None:
        self.reader = Reader(as_of)
        self.as_of, self.key = as_of, key
        self.root, _ = lineage_closure.find(key, as_of)
        self.backend, levels, listed, self.counts_by_kind = graph_choice.in_database(as_of, self._walk)
        self.hops = {node: hops for hops, level in enumerate(levels) for node in level if hops}
        deployments = [node for node, kind in listed.items() if kind == NodeKind.DEPLOYMENT]
        self.ended = sql_deployments.ended(deployments, self.reader.moment)
        running = [node for node in deployments if node not in self.ended]
        used = sql_deployments.used_by(running, self.reader.moment.size)
        self.live = {node for node in listed if node in used}.union(running)
        kept = self.live if live else listed
        self.listed = sorted(kept, key=lambda node: (self.hops[node], node))

    def _walk(
        self, backend: SqlBackend, moment: AsOf
    ) -> tuple[str, list[set[int]], dict[int, str], dict[str, int]]:
        """Who answered, the levels, what may be listed with its kind, and how many of each kind."""
        walk = Walk(self.key, Direction.DESCENDANTS, moment.size)
        listed = dict.fromkeys(backend.rows(replace(walk, kinds=LISTED_ROLES)), "")
        deployments = backend.rows(replace(walk, kinds=(NodeKind.DEPLOYMENT,)))
        listed |= dict.fromkeys(deployments, NodeKind.DEPLOYMENT.value)
        counts = dict(backend.closure(walk, limit=1).counts_by_kind)
        return backend.name, backend.levels(walk), listed, counts

    def by_hop(self) -> tuple[Hop, ...]:
        totals, listed = Counter(self.hops.values()), Counter(self.hops[node] for node in self.listed)
        return tuple(Hop(hops, totals[hops], listed[hops]) for hops in sorted(totals))

    def affected(self, nodes: list[int]) -> Iterator[Affected]:
        """With one way there each."""
        found = self.reader.summaries(nodes)
        for node in nodes:
            if node in found:
                paths = lineage_closure.paths(self.key, found[node].key, self.as_of, limit=1)
                path = tuple(paths[0].nodes) if paths else ()
                live, ended = node in self.live, self.ended.get(node, "")
                yield Affected(found[node], self.hops[node], path, live, ended)


def impact(
    key: str, as_of: AsOf, *, after: str | None = None, limit: int = PAGE, live: bool = False
) -> Impact:
    """What the node affects; `live`: list only deployments that have not ended, and the models they use.

    Raises: NotFoundError where it was not known at the moment; MalformedError for a cursor that is none.
    """
    start = moment_cursor.counted(after)
    reached = Reached(key, as_of, live=live)
    shown = reached.listed[start : start + limit]
    more = start + limit < len(reached.listed)
    return Impact(
        root=reached.reader.summaries([reached.root])[reached.root],
        tree_size=as_of.size,
        projected=as_of.projected,
        total=len(reached.hops),
        counts_by_kind=reached.counts_by_kind,
        by_hop=reached.by_hop(),
        listed_total=len(reached.listed),
        affected=tuple(reached.affected(shown)),
        next=str(start + limit) if more else None,
        live_total=len(reached.live),
        backend=reached.backend,
    )


def all_affected(key: str, as_of: AsOf) -> Iterator[tuple[NodeSummary, int]]:
    """Every model, AI system and deployment with how far away it is, nearest first: for a file.

    Raises: NotFoundError at once, not while it is read.
    """
    return _each(Reached(key, as_of))


def _each(reached: Reached) -> Iterator[tuple[NodeSummary, int]]:
    for start in range(0, len(reached.listed), 500):
        chunk = reached.listed[start : start + 500]
        for number, node in reached.reader.summaries(chunk).items():
            yield node, reached.hops[number]
