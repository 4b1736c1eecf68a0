"""Walks over the closure index: everything that a node reaches, level by level, and the edges of paths.

Owns: the same rules as `sql_walk` and `sql_paths`, over integers. Pure. Does not own: keys, names, counts by
status.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat

import numpy as np
from numpy.typing import NDArray

from lineage.graph import path_search
from lineage.graph.backend import MAX_DEPTH, OPENING_EDGES, OPENING_KINDS, PLACE_HOPS, Direction, Way
from lineage.graph.index.adjacency import Flags, Numbers, Steps, type_set
from lineage.graph.index.snapshot import KINDS, Snapshot
from lineage.graph.model import LINEAGE_EDGES, EdgeType, NodeKind
from lineage.graph.path_search import MAX_NODES

_LINEAGE = type_set(LINEAGE_EDGES)
_OPENING = type_set(OPENING_EDGES)
_LOCATED = type_set((EdgeType.AT_LOCATION,))
_ASSOCIATED = type_set((EdgeType.WAS_ASSOCIATED_WITH,))
_GENERATED = type_set((EdgeType.WAS_GENERATED_BY,))
_SAME_AS = type_set((EdgeType.SAME_AS,))
_HARDWARE = KINDS.index(NodeKind.HARDWARE)
_PLACE = KINDS.index(NodeKind.PLACE)


def closure(graph: Snapshot, root: int, way: Way, depth: int, size: int | None) -> Numbers:
    """Node numbers within `depth` edges of the root, ascending, without it.

    `size` instead of the way's: None where the snapshot holds nothing that is newer. `MAX_DEPTH` and more
    mean no limit.
    """
    seen = np.zeros(graph.room, np.bool_)
    for _ in levels(graph, root, way, depth, size, seen):
        pass
    seen[root] = False
    return np.flatnonzero(seen)


def reach(graph: Snapshot, seeds: Numbers, way: Way, size: int | None, but: Numbers) -> Numbers:
    """Everything that the seeds reach without a wider first step, themselves included, ascending.

    What is in `but` is neither reached nor passed through.
    """
    seen = np.zeros(graph.room, np.bool_)
    seen[but] = True
    for _ in _levels(graph, seeds, way, size, seen, ()):
        pass
    seen[but] = False
    return np.flatnonzero(seen)


def links(
    graph: Snapshot, nodes: Numbers, types: Iterable[EdgeType], size: int | None
) -> list[tuple[int, str, int]]:
    """(effect, type, cause) of the edges among the nodes. Without `SAME_AS`: it has no direction here."""
    inside = np.zeros(graph.room, np.bool_)
    inside[nodes] = True
    found = list[tuple[int, str, int]]()
    for kind in sorted(set(types) - {EdgeType.SAME_AS}):
        steps = graph.steps(nodes, type_set((kind,)), size, causes=True)
        kept = inside[steps.far]
        found += zip(steps.near[kept].tolist(), repeat(kind.value), steps.far[kept].tolist(), strict=False)
    return found


def twins(graph: Snapshot, nodes: Numbers, size: int | None) -> list[int]:
    """Those of the nodes from or to which a `SAME_AS` leads, ascending."""
    steps = graph.steps(nodes, _SAME_AS, size, causes=True)
    return list(np.unique(steps.near).tolist())


def levels(
    graph: Snapshot, root: int, way: Way, depth: int, size: int | None, seen: Flags
) -> Iterator[Numbers]:
    """The root alone, then the nodes at 1, 2, … edges from it, each at its shortest distance.

    `seen` has a place for each node number. What is set in it at first is neither reached nor passed through;
    what is reached is set then.
    """
    found = _levels(graph, np.array([root], np.int64), way, size, seen, _opening(graph, root, way, size))
    return found if depth >= MAX_DEPTH else islice(found, depth + 1)


def _levels(
    graph: Snapshot, seeds: Numbers, way: Way, size: int | None, seen: Flags, opening: Sequence[Numbers]
) -> Iterator[Numbers]:
    causes, types = way.direction is Direction.ANCESTORS, type_set(way.followed)
    scratch = np.empty(graph.room, np.int32)
    if size is not None:  # of an edge that isn't late both nodes have to be known
        seeds = seeds[graph.firsts(seeds) < size]
    level = _new(seeds, seen, scratch)
    depth = 0
    while len(level) or depth < len(opening):
        yield level
        found = [graph.reached(level, types, size, causes=causes), *opening[depth : depth + 1]]
        level = _new(np.concatenate(found) if len(found) > 1 else found[0], seen, scratch)
        depth += 1


def _new(found: Numbers, seen: Flags, scratch: NDArray[np.int32]) -> Numbers:
    """Those that weren't seen, each once; they are from now on.

    Each writes its place where all its doubles write theirs: one of them finds its own again.
    """
    fresh = found[~seen[found]]
    places = np.arange(len(fresh), dtype=np.int32)
    scratch[fresh] = places
    once: Numbers = fresh[scratch[fresh] == places]
    seen[once] = True
    return once


def _opening(graph: Snapshot, root: int, way: Way, size: int | None) -> list[Numbers]:
    """What the wider first step reaches: at one edge, and for a place through its machines at two."""
    at = np.array([root], np.int64)
    kind = KINDS[int(graph.kinds(at)[0])]
    unknown = size is not None and int(graph.firsts(at)[0]) >= size
    if way.types or kind not in OPENING_KINDS or unknown:
        return []
    causes = way.direction is Direction.ANCESTORS
    first = graph.reached(at, _OPENING, size, causes=causes)
    if kind is not NodeKind.PLACE or causes:
        return [first]
    return [first, graph.reached(_machines(graph, root, size), _ASSOCIATED, size, causes=False)]


def _machines(graph: Snapshot, place: int, size: int | None) -> Numbers:
    """The machines that lie at a place: another edge to a place makes none its own."""
    found = graph.reached(np.array([place], np.int64), _LOCATED, size, causes=False)
    machines: Numbers = found[graph.kinds(found) == _HARDWARE]
    return machines


def at_place(graph: Snapshot, place: int, size: int | None) -> Numbers:
    """What is at a place, in no order, with doubles: see `backend.Walk.place`."""
    places = np.array([place], np.int64)
    for _ in range(PLACE_HOPS):
        found = graph.reached(places, _LOCATED, size, causes=False)
        places = np.union1d(places, found[graph.kinds(found) == _PLACE])
    there = graph.reached(places, _LOCATED, size, causes=False)
    machines = there[graph.kinds(there) == _HARDWARE]
    there = np.concatenate([there, graph.reached(machines, _ASSOCIATED, size, causes=False)])
    return np.concatenate([there, graph.reached(there, _GENERATED, size, causes=False)])


def paths(graph: Snapshot, effect: int, cause: int, size: int | None, limit: int) -> list[list[int]]:
    """At most `limit` simple paths of node numbers from effect to cause, shortest first.

    Over lineage edges; a signer, supplier, place or machine as the cause is entered over its other edges.
    """
    if effect == cause:
        return []
    target = _Target(graph, cause, size)
    found = _collect(graph, effect, target)
    return path_search.shortest(effect, cause, _leading(found, cause, graph.room), limit)


class _Target:
    """The cause, and the edges that enter it besides lineage edges (a place's through its machines)."""

    def __init__(self, graph: Snapshot, cause: int, size: int | None) -> None:
        self._graph, self.cause, self.size = graph, cause, size
        kind = KINDS[int(graph.kinds(np.array([cause], np.int64))[0])]
        self._entered = kind in OPENING_KINDS
        self._machines = _machines(graph, cause, size) if kind is NodeKind.PLACE else np.empty(0, np.int64)

    def steps_from(self, level: Numbers) -> list[Steps]:
        if not self._entered:
            return []
        steps = self._graph.steps(level, _OPENING, self.size, causes=True)
        at = steps.far == self.cause
        found = [Steps(steps.near[at], steps.far[at])]
        if len(self._machines):
            steps = self._graph.steps(level, _ASSOCIATED, self.size, causes=True)
            ours = np.isin(steps.far, self._machines)
            reached = np.unique(steps.far[ours])
            found.append(Steps(steps.near[ours], steps.far[ours]))
            found.append(Steps(reached, np.full(len(reached), self.cause, np.int64)))
        return found


def _collect(graph: Snapshot, effect: int, target: _Target) -> list[Steps]:
    """The edges above the effect. Once the cause is found, the walk stops at `MAX_NODES` nodes."""
    found = list[Steps]()
    seen, scratch = np.zeros(graph.room, np.bool_), np.empty(graph.room, np.int32)
    level, count = np.array([effect], np.int64), 1
    seen[effect] = True
    while len(level) and (not seen[target.cause] or count < MAX_NODES):
        further = level[level != target.cause]
        steps = [graph.steps(further, _LINEAGE, target.size, causes=True), *target.steps_from(level)]
        found += steps
        level = _new(np.concatenate([each.far for each in steps]), seen, scratch)
        count += len(level)
    return found


def _leading(found: Iterable[Steps], cause: int, room: int) -> dict[int, set[int]]:
    """Of these edges those from which the cause can be reached: the others would only be in the way."""
    near = np.concatenate([steps.near for steps in found])
    far = np.concatenate([steps.far for steps in found])
    leads = np.zeros(room, np.bool_)
    leads[cause] = True
    count = 0
    while count != (count := int(np.count_nonzero(leads))):
        leads[near[leads[far]]] = True
    useful = leads[far]
    steps: dict[int, set[int]] = {}
    for one, other in zip(near[useful].tolist(), far[useful].tolist(), strict=True):
        steps.setdefault(one, set()).add(other)
    return steps
