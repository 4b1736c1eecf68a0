"""Edges of a few nodes among many, and the same edges with a place for each node: they lead to the same."""

from __future__ import annotations

import numpy as np
import pytest

from lineage.graph.index import adjacency

EVERY = np.uint32(0xFFFF)


@pytest.mark.parametrize("edges", [0, 1, 40, 3_000])
def test_edges_of_a_few_nodes_are_found_whoever_else_is_asked_for(edges: int) -> None:
    random, most = np.random.default_rng(edges), 200_000
    source, target = random.integers(0, most, edges), random.integers(0, most, edges)
    kind, first = random.integers(0, 8, edges), random.integers(0, 50, edges)
    known = np.where(random.random(edges) < 0.5, first, first + 1)  # half of them are late
    few = adjacency.build(source, target, kind, first, known, dense=None)
    whole = adjacency.build(source, target, kind, first, known, dense=most)
    others = np.concatenate([source, source + 4_096, source ^ 1, random.integers(0, most, 20_000)])
    frontier = random.permutation(np.unique(others[others < most]))
    for types, size in ((EVERY, None), (EVERY, 25), (np.uint32(5), 25)):
        expected, found = (each.steps(frontier, types, size) for each in (whole, few))
        assert found.near.tolist() == expected.near.tolist()
        assert found.far.tolist() == expected.far.tolist()
        assert few.reached(frontier, types, size).tolist() == expected.far.tolist()
    assert len(whole.reached(frontier, EVERY, None)) == edges
