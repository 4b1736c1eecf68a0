"""Explaining paths on edges at hand: the k shortest simple paths from an effect to a cause.

Owns: the search and its bounds. Pure: nodes are whatever the backend calls them. Does not own: collecting
the edges (`sql_paths`, `neo4j.paths`).

The number of paths between two nodes can be astronomical, so they are never enumerated: they are taken best
first, guided by the exact distance to the cause, in at most `MAX_EXPANSIONS` steps.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Hashable, Mapping
from typing import TypeVar

MAX_NODES = 20_000
"""A backend that collects edges level by level stops at so many nodes once it has found the cause."""

MAX_EXPANSIONS = 50_000

Node = TypeVar("Node", bound=Hashable)


def shortest(effect: Node, cause: Node, steps: Mapping[Node, set[Node]], limit: int) -> list[list[Node]]:
    """At most `limit` simple paths, shortest first; `steps` leads from a node to those nearer to the cause.

    The distances never overestimate, so paths come out shortest first; of equals the deepest goes on.
    """
    distances = _distances(cause, steps)
    if effect == cause or effect not in distances:
        return []
    found: list[list[Node]] = []
    heap: list[tuple[int, int, list[Node]]] = [(distances[effect], -1, [effect])]
    for _ in range(MAX_EXPANSIONS):
        if not heap or len(found) >= limit:
            break
        _, _, path = heapq.heappop(heap)
        if path[-1] == cause:
            found.append(path)
            continue
        for far in steps.get(path[-1], ()):
            if far in distances and far not in path:
                heapq.heappush(heap, (len(path) + distances[far], -len(path) - 1, [*path, far]))
    return found


def _distances(cause: Node, steps: Mapping[Node, set[Node]]) -> dict[Node, int]:
    """Edges from each node to the cause, for those that reach it."""
    back: dict[Node, list[Node]] = {}
    for near, fars in steps.items():
        for far in fars:
            back.setdefault(far, []).append(near)
    distances, queue = {cause: 0}, deque([cause])
    while queue:
        node = queue.popleft()
        for near in back.get(node, ()):
            if near not in distances:
                distances[near] = distances[node] + 1
                queue.append(near)
    return distances
