"""From many sources at once: of everything that they reach the nearest one, by the closure index.

The same answer as `sql_taint_spread` finds in the tables, over integers. Pure.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from lineage.graph.index.adjacency import Numbers, type_set
from lineage.graph.index.snapshot import Snapshot
from lineage.graph.model import LINEAGE_EDGES

_LINEAGE = type_set(LINEAGE_EDGES)
_Places = NDArray[np.int32]
_NONE = np.int32(np.iinfo(np.int32).max)


def nearest(
    graph: Snapshot,
    nodes: array[int],
    labels: array[int],
    hops: array[int],
    size: int | None,
    but: array[int],
) -> tuple[array[int], array[int], array[int]]:
    """Nodes reached, ascending, with the least label of the nearest seeds and the edges between.

    Seed `i` is `nodes[i]`, already `hops[i]` edges away from what `labels[i]` names. What is in `but` is
    neither reached nor passed through. `size`: None where the graph holds nothing that is newer.
    """
    seed, far_away = np.array(nodes, np.int64), np.array(hops, np.int64)
    names, marks = np.unique(np.array(labels, np.int64), return_inverse=True)
    best, distance = np.full(graph.room, _NONE, np.int32), np.full(graph.room, -1, np.int32)
    stopped = np.array(but, np.int64)
    distance[stopped] = 0
    level = np.empty(0, np.int64)
    depth, last = 0, int(far_away.max(initial=0))
    while len(level) or depth <= last:
        now = far_away == depth
        level = _reached(seed[now], marks[now].astype(np.int32), level, best, distance, depth)
        steps = graph.steps(level, _LINEAGE, size, causes=False)
        open_ones = distance[steps.far] < 0
        far, near = steps.far[open_ones], steps.near[open_ones]
        np.minimum.at(best, far, best[near])
        level, depth = np.unique(far), depth + 1
    distance[stopped] = -1
    found = np.flatnonzero(distance >= 0)
    return _array(found), _array(names[best[found]]), _array(distance[found].astype(np.int64))


def _reached(
    seeds: Numbers, marks: _Places, level: Numbers, best: _Places, distance: _Places, depth: int
) -> Numbers:
    """The level with the seeds that begin at this distance; each node's distance is set from now on."""
    fresh = distance[seeds] < 0
    np.minimum.at(best, seeds[fresh], marks[fresh])
    level = np.union1d(level, seeds[fresh]) if fresh.any() else level
    distance[level] = depth
    return level


def _array(values: Numbers) -> array[int]:
    found = array("q")
    found.frombytes(values.tobytes())
    return found
