"""The graph as integers at one tree size: what was read once, and what has come since.

Owns: joining the two parts. Pure: rows in, arrays out. Does not own: where rows come from (`rows`), the file
(`file`), or the walks (`walks`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lineage.graph.index import adjacency
from lineage.graph.index.adjacency import TYPES, Adjacency, Numbers, Steps, Types
from lineage.graph.index.columns import Roles, Statuses
from lineage.graph.model import EdgeType, NodeKind

KINDS = tuple(NodeKind)
"""A node kind's number is its place here."""
_T = TypeVar("_T", bound=np.generic)
_SAME_AS = TYPES.index(EdgeType.SAME_AS)


@dataclass(frozen=True, slots=True)
class NodeRows:
    """Ascending by `id`; `kind` is a number of `KINDS`."""

    id: Numbers
    kind: Numbers
    first: Numbers

    def below(self, size: int) -> NodeRows:
        """Those that entries below this index brought."""
        end = int(np.searchsorted(self.first, size))
        return NodeRows(self.id[:end], self.kind[:end], self.first[:end])

    def then(self, more: NodeRows) -> NodeRows:
        """With those of greater ids."""
        pairs = ((self.id, more.id), (self.kind, more.kind), (self.first, more.first))
        return NodeRows(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, slots=True)
class EdgeRows:
    """Ascending by `id`; `type` is a number of `TYPES`, the others are ids and a log index."""

    id: Numbers
    source: Numbers
    target: Numbers
    type: Numbers
    first: Numbers

    def below(self, size: int) -> EdgeRows:
        """Those that entries below this index brought."""
        end = int(np.searchsorted(self.first, size))
        return EdgeRows(*(column[:end] for column in self._columns()))

    def then(self, more: EdgeRows) -> EdgeRows:
        """With those of greater ids."""
        pairs = zip(self._columns(), more._columns(), strict=True)
        return EdgeRows(*(np.concatenate(pair) for pair in pairs))

    def _columns(self) -> tuple[Numbers, ...]:
        return self.id, self.source, self.target, self.type, self.first


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the nodes and edges. `causes` leads from effect to cause, `effects` back; `SAME_AS` is in both.

    `kind` and `first` belong to the nodes from number `base` on, one place each; where no node has a number,
    its kind is 255. `last_node`, `last_edge`: the greatest ids.
    """

    base: int
    kind: NDArray[np.uint8]
    first: NDArray[np.integer]
    causes: Adjacency
    effects: Adjacency
    last_node: int
    last_edge: int
    edges: int


def whole(nodes: NodeRows, edges: EdgeRows) -> Part:
    """All that there is."""
    last = int(nodes.id[-1]) if len(nodes.id) else 0
    kind, first = _columns(nodes, 0, last)
    known = np.maximum(first[edges.source], first[edges.target])
    return _part(0, kind, first, edges, known, dense=last + 1, before=(last, 0))


def addition(base: Part, nodes: NodeRows, edges: EdgeRows) -> Part:
    """What came since `base`."""
    last = int(nodes.id[-1]) if len(nodes.id) else base.last_node
    begin = base.last_node + 1
    kind, first = _columns(nodes, begin, last)
    both = Snapshot(base, None)
    firsts = [
        np.where(end < begin, both.firsts(np.minimum(end, base.last_node)), _at(first, end - begin))
        for end in (edges.source, edges.target)
    ]
    known = np.maximum(*firsts)
    return _part(begin, kind, first, edges, known, dense=None, before=(last, base.last_edge))


def _at(values: NDArray[np.integer], places: Numbers) -> NDArray[np.integer]:
    """The values at these places; of those outside of it any number."""
    if not len(values):
        return np.zeros(len(places), np.int64)
    return values[np.clip(places, 0, len(values) - 1)]


def _columns(nodes: NodeRows, begin: int, last: int) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """A number that is no node's has the greatest first index that there is: no moment knows it."""
    kind = np.full(last + 1 - begin, 255, np.uint8)
    wide = np.uint32 if int(nodes.first.max(initial=0)) < np.iinfo(np.uint32).max else np.int64
    first: NDArray[np.integer] = np.full(last + 1 - begin, np.iinfo(wide).max, wide)
    kind[nodes.id - begin] = nodes.kind
    first[nodes.id - begin] = nodes.first
    return kind, first


def _part(
    begin: int,
    kind: NDArray[np.uint8],
    first: NDArray[np.integer],
    edges: EdgeRows,
    known: NDArray[np.integer],
    *,
    dense: int | None,
    before: tuple[int, int],
) -> Part:
    same = edges.type == _SAME_AS
    source = np.concatenate([edges.source, edges.target[same]])
    target = np.concatenate([edges.target, edges.source[same]])
    more = [np.concatenate([column, column[same]]) for column in (edges.type, edges.first, known)]
    last_node, last_edge = before
    return Part(
        begin,
        kind,
        first,
        adjacency.build(source, target, *more, dense=dense),
        adjacency.build(target, source, *more, dense=dense),
        last_node,
        int(edges.id[-1]) if len(edges.id) else last_edge,
        len(edges.id),
    )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A graph that nobody changes any more: readers may hold it while the next one is made.

    `statuses` and `roles` are of the nodes of both parts.
    """

    base: Part
    since: Part | None
    statuses: Statuses = field(default_factory=Statuses.empty)
    roles: Roles = field(default_factory=Roles.empty)

    @property
    def room(self) -> int:
        """One more than the greatest node number."""
        return (self.since or self.base).last_node + 1

    @property
    def last_edge(self) -> int:
        return (self.since or self.base).last_edge

    def firsts(self, nodes: Numbers) -> NDArray[np.integer]:
        """The log index that first named each node."""
        return self._column(nodes, self.base.first, None if self.since is None else self.since.first)

    def kinds(self, nodes: Numbers) -> NDArray[np.uint8]:
        """Each node's number in `KINDS`."""
        return self._column(nodes, self.base.kind, None if self.since is None else self.since.kind)

    def counts_by_kind(self, nodes: Numbers) -> dict[str, int]:
        """How many of the nodes are of each kind, by kind's name, in the order of names."""
        return counted(self.kinds(nodes), KINDS)

    def _column(self, nodes: Numbers, old: NDArray[_T], new: NDArray[_T] | None) -> NDArray[_T]:
        if new is None or not len(new):
            return old[nodes]
        found = old[np.minimum(nodes, len(old) - 1)].astype(np.result_type(old, new), copy=False)
        later = np.flatnonzero(nodes >= len(old))
        found[later] = new[nodes[later] - len(old)]
        return found

    def steps(self, frontier: Numbers, types: Types, size: int | None, *, causes: bool) -> Steps:
        """The edges of these types from the frontier, towards causes or effects, as of a tree size.

        None: of all that is here.
        """
        found = [each.steps(frontier, types, size) for each in self._towards(causes=causes)]
        near = np.concatenate([steps.near for steps in found])
        far = np.concatenate([steps.far for steps in found])
        if size is not None:
            known = self.firsts(far) < size
            near, far = near[known], far[known]
        return Steps(near, far)

    def reached(self, frontier: Numbers, types: Types, size: int | None, *, causes: bool) -> Numbers:
        """Only where those edges lead, with doubles."""
        found = [each.reached(frontier, types, size) for each in self._towards(causes=causes)]
        far = np.concatenate(found) if len(found) > 1 else found[0]
        return far if size is None else far[self.firsts(far) < size]

    def _towards(self, *, causes: bool) -> list[Adjacency]:
        parts = (self.base,) if self.since is None else (self.base, self.since)
        return [part.causes if causes else part.effects for part in parts]


def counted(codes: NDArray[np.uint8], names: Sequence[str]) -> dict[str, int]:
    """How many there are of each number, by its name, in the order of names; no name without any."""
    counts = np.bincount(codes, minlength=len(names)).tolist()
    return {str(name): counts[names.index(name)] for name in sorted(names) if counts[names.index(name)]}
