"""The edges of a graph in one direction, as integers: who is one edge away from given nodes.

Owns: how an edge is packed, and gathering the edges of many nodes at once. Pure: arrays in, arrays out.

An edge is one unsigned 32-bit number: the node that it leads to (27 bits), its type (4 bits), and whether it
is *late*. Most edges enter the log together with one of their nodes, so that the edge's first index is the
greater one of its nodes' and needs no place of its own; of a late edge it is kept aside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineage.errors import TooLargeError
from lineage.graph.model import EdgeType

Numbers = NDArray[np.int64]
Packed = NDArray[np.uint32]
Flags = NDArray[np.bool_]
Types = np.uint32

TYPES = tuple(EdgeType)
"""An edge type's number is its place here; a file names them, so that another order is noticed."""

NODE_BITS = 27
MOST_NODES = 1 << NODE_BITS
_NODE = np.uint32(MOST_NODES - 1)
_TYPE_SHIFT, _TYPE = np.uint32(NODE_BITS), np.uint32(15)
_LATE = np.uint32(1 << 31)
_ONE = np.uint32(1)
_ROOM = 16
"""Flags of `likely` for each node that has edges, or more: one of so many others is looked up in vain."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Edges out of a frontier: `near[i]` leads to `far[i]`. Both are node numbers."""

    near: Numbers
    far: Numbers


@dataclass(frozen=True, slots=True)
class Adjacency:
    """Edges by the node that they are followed from.

    `nodes` are the nodes that have any, ascending; None where every number from 0 has its place. The edges of
    the one at place i are `to[start[i] : start[i + 1]]`. `late_at` are the places of late edges, ascending,
    `late_first` their first indexes. Where the flag of a number's last bits is not set in `likely`, the node
    has no edges: most of a large frontier has none among those that came since, and looking each up among
    them took a third of a walk.
    """

    nodes: NDArray[np.int32] | None
    start: NDArray[np.int32]
    to: Packed
    late_at: NDArray[np.int32]
    late_first: NDArray[np.int64]
    likely: Flags | None = None

    def steps(self, frontier: Numbers, types: Types, size: int | None) -> Steps:
        """The edges of these types from the frontier's nodes.

        With a `size` without the late ones that came at that log index or afterwards; an edge that isn't late
        was known as soon as both its nodes were, which is the caller's to see to.
        """
        frontier = self._likely(frontier)
        packed, keep, counts = self._gathered(frontier, types, size)
        return Steps(np.repeat(frontier, counts)[keep], (packed[keep] & _NODE).astype(np.int64))

    def reached(self, frontier: Numbers, types: Types, size: int | None) -> Numbers:
        """Only where those edges lead: half the work."""
        packed, keep, _ = self._gathered(self._likely(frontier), types, size)
        return (packed[keep] & _NODE).astype(np.int64)

    def _likely(self, frontier: Numbers) -> Numbers:
        """Those that may have edges here, in their order."""
        if self.likely is None:
            return frontier
        found: Numbers = frontier[self.likely[frontier & (len(self.likely) - 1)]]
        return found

    def _gathered(self, frontier: Numbers, types: Types, size: int | None) -> tuple[Packed, Flags, Numbers]:
        """All edges of the frontier's nodes, which of them to keep, and how many each node has."""
        begin, end = self._bounds(frontier)
        counts = end - begin
        ends = np.cumsum(counts)
        at = np.arange(ends[-1] if len(ends) else 0)
        at += np.repeat(begin - (ends - counts), counts)
        packed = self.to[at]
        keep = ((types >> ((packed >> _TYPE_SHIFT) & _TYPE)) & _ONE).astype(np.bool_)
        if size is not None and len(self.late_at):
            late = np.flatnonzero(packed & _LATE)
            firsts = self.late_first[np.searchsorted(self.late_at, at[late])]
            keep[late[firsts >= size]] = False
        return packed, keep, counts

    def _bounds(self, frontier: Numbers) -> tuple[Numbers, Numbers]:
        if self.nodes is None:
            inside = np.minimum(frontier, len(self.start) - 2)
            known = inside == frontier
            begin = self.start[inside].astype(np.int64)
            return begin, np.where(known, self.start[inside + 1], begin)
        if not len(self.nodes):
            return np.zeros(len(frontier), np.int64), np.zeros(len(frontier), np.int64)
        place = np.minimum(np.searchsorted(self.nodes, frontier), len(self.nodes) - 1)
        known = self.nodes[place] == frontier
        begin = self.start[place].astype(np.int64)
        return begin, np.where(known, self.start[place + 1], begin)


def build(
    source: Numbers, target: Numbers, kind: Numbers, first: Numbers, known: Numbers, *, dense: int | None
) -> Adjacency:
    """Edges from `source` to `target`: their types' numbers, first indexes, and which of these are `late`.

    Args:
        known: for each edge the greater first index of its two nodes.
        dense: how many nodes there are, for one place each; None: only the nodes that have edges.

    Raises: TooLargeError where a number has no place in 27 bits.
    """
    if len(target) and max(int(target.max()), int(source.max())) >= MOST_NODES:
        raise TooLargeError(f"The closure index holds {MOST_NODES:,} nodes at most.", limit=MOST_NODES)
    order = np.argsort(source, kind="stable")
    late = (first != known)[order]
    to = target[order].astype(np.uint32) | (kind[order].astype(np.uint32) << _TYPE_SHIFT)
    to[late] |= _LATE
    nodes: NDArray[np.int32] | None = None
    likely: Flags | None = None
    if dense is None:
        present, counts = np.unique(source, return_counts=True)
        nodes = present.astype(np.int32)
        likely = np.zeros(1 << (len(nodes) * _ROOM).bit_length(), np.bool_)
        likely[nodes & (len(likely) - 1)] = True
    else:
        counts = np.bincount(source, minlength=dense)
    start = np.zeros(len(counts) + 1, np.int32)
    np.cumsum(counts, out=start[1:])
    late_at = np.flatnonzero(late).astype(np.int32)
    return Adjacency(nodes, start, to, late_at, first[order][late], likely)


def type_set(types: tuple[EdgeType, ...]) -> Types:
    """A set bit for each type's number."""
    return np.uint32(sum(1 << TYPES.index(kind) for kind in set(types)))
