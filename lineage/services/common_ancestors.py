"""What two or more nodes have in common: everything that all of them were made from, nearest first.

A node counts as its own ancestor, so that of a model and what was made from it the model is the nearest.
Owns: putting them in order. Does not own: the walks (a `graph.backend`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from lineage.errors import MalformedError
from lineage.graph import sql_nodes
from lineage.graph.backend import Direction, Walk
from lineage.graph.sql_backend import SqlBackend
from lineage.services import graph_choice, lineage_closure
from lineage.services.as_of import AsOf
from lineage.services.lineage_nodes import Reader
from lineage.services.lineage_records import NodeSummary
from lineage.services.moment_cursor import continued, cursor

MOST_NODES = 10
"""Nodes that are compared at one time."""
PAGE = 50
FILE_PAGE = 500


class CommonAncestor(msgspec.Struct, frozen=True):
    """`hops`: how many edges it is away from each of `nodes`, in their order; 0: it is that one."""

    node: NodeSummary
    hops: tuple[int, ...]


class CommonAncestors(msgspec.Struct, frozen=True):
    """One page, the least sum of `hops` first, then as the log first named them. The counts are of all.

    `counts_by_status` is of the moment asked about. `next` continues the list, None at its end.
    """

    nodes: tuple[NodeSummary, ...]
    tree_size: int
    projected: int
    backend: str
    total: int
    counts_by_kind: dict[str, int]
    counts_by_status: dict[str, int]
    ancestors: tuple[CommonAncestor, ...]
    next: str | None


def common_ancestors(
    keys: Sequence[str], as_of: AsOf, *, after: str | None = None, limit: int = PAGE
) -> CommonAncestors:
    """What all of these nodes were made from, at most `MOST_NODES` different ones.

    Raises: NotFoundError where one of them was not known at the moment; MalformedError for fewer than two,
        too many, or a cursor that is none; ConflictError for one of another moment.
    """
    as_of, start = continued(as_of, after)
    found = _common(keys, as_of)
    shown = found.listed[start : start + limit]
    counts = sql_nodes.counts(found.listed, found.reader.moment)
    known = found.reader.summaries([*found.roots, *shown])
    moment = found.reader.as_of
    return CommonAncestors(
        nodes=tuple(known[root] for root in found.roots),
        tree_size=moment.size,
        projected=moment.projected,
        backend=found.backend,
        total=len(found.listed),
        counts_by_kind=sql_nodes.sums((kind, count) for (kind, _), count in counts.items()),
        counts_by_status=sql_nodes.sums((status, count) for (_, status), count in counts.items()),
        ancestors=tuple(CommonAncestor(known[node], found.hops(node)) for node in shown),
        next=cursor(moment, start + limit) if start + limit < len(found.listed) else None,
    )


def every(keys: Sequence[str], as_of: AsOf) -> Iterator[CommonAncestor]:
    """All of them, for a file. Raises: at once, as `common_ancestors` does, not while it is read."""
    return _each(_common(keys, as_of))


def _each(found: _Common) -> Iterator[CommonAncestor]:
    for start in range(0, len(found.listed), FILE_PAGE):
        for node, summary in found.reader.summaries(found.listed[start : start + FILE_PAGE]).items():
            yield CommonAncestor(summary, found.hops(node))


@dataclass(frozen=True, slots=True)
class _Common:
    """Row ids: `roots` are the nodes compared, `listed` what they have in common, in order.

    `away`: of each root, how many edges everything that it was made from is away.
    """

    backend: str
    reader: Reader
    roots: Sequence[int]
    listed: Sequence[int]
    away: Sequence[Mapping[int, int]]

    def hops(self, node: int) -> tuple[int, ...]:
        return tuple(hops[node] for hops in self.away)


def _common(keys: Sequence[str], as_of: AsOf) -> _Common:
    keys = list(dict.fromkeys(keys))
    if not 2 <= len(keys) <= MOST_NODES:
        raise MalformedError(
            f"Two nodes or more are compared, at most {MOST_NODES}, and no node with itself.", where="with"
        )

    def question(backend: SqlBackend, moment: AsOf) -> _Common:
        places = enumerate(keys)
        roots = [lineage_closure.find(key, moment, "with" if place else "")[0] for place, key in places]
        away = [_hops(backend.levels(Walk(key, Direction.ANCESTORS, moment.size))) for key in keys]
        common = set.intersection(*(set(hops) for hops in away))
        listed = sorted(common, key=lambda node: (sum(hops[node] for hops in away), node))
        return _Common(backend.name, Reader(moment), roots, listed, away)

    return graph_choice.in_database(as_of, question)


def _hops(levels: Sequence[set[int]]) -> dict[int, int]:
    return {node: hops for hops, level in enumerate(levels) for node in level}
