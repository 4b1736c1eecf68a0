"""Measure Neo4j with a graph of a million edges: projecting it, and what pages and programs ask of it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lineage import service_urls
from lineage.graph.backend import Direction, GraphEntry, Walk
from lineage.graph.neo4j.backend import Neo4jBackend
from lineage.graph.neo4j.store import Neo4jGraph
from lineage.localservices import neo4j
from tests.bench.dag import ENTRIES, Dag

if TYPE_CHECKING:
    from tests.bench.__main__ import Table

Question = TypeVar("Question")
BATCH = 1_000
ASKED = 15
ANCESTORS = 500
DESCENDANTS = 50_000


def measure(table: Table, scale: float) -> None:
    home = Path(tempfile.mkdtemp(prefix="lineage-bench-graph-"))
    try:
        service = neo4j.start(home / "neo4j")
        try:
            bolt = service_urls.graph(service.url)
            assert bolt is not None
            dag = Dag(int(ENTRIES * scale))
            _project(table, Neo4jGraph(bolt), dag)
            _ask(table, Neo4jBackend(bolt), dag)
        finally:
            service.stop()
    finally:
        shutil.rmtree(home)


def _project(table: Table, graph: Neo4jGraph, dag: Dag) -> None:
    """Only what Neo4j takes is timed, not making the entries."""
    state, seconds = graph.start("bench.example", "bench"), 0.0
    for batch in _batches(dag.entries()):
        begin = time.perf_counter()
        state = graph.apply(batch, seen=state)
        seconds += time.perf_counter() - begin
    name = f"neo4j: projecting {dag.nodes:,} nodes, {dag.edges:,} edges"
    table.add(name, seconds, "s", f"{BATCH} entries a batch")
    table.add("neo4j: edges projected", dag.edges / seconds, "/s")


def _batches(entries: Iterable[GraphEntry]) -> Iterator[tuple[GraphEntry, ...]]:
    left = iter(entries)
    while batch := tuple(islice(left, BATCH)):
        yield batch


def _ask(table: Table, backend: Neo4jBackend, dag: Dag) -> None:
    size = dag.entries_wanted
    late, early = dag.models[-400:], dag.models[:40]
    up = [
        Walk(key, Direction.ANCESTORS, size)
        for key in _nearest(backend, late, Direction.ANCESTORS, size, ANCESTORS)[:ASKED]
    ]
    found = [backend.closure(walk).total for walk in up]
    _timed(
        table, f"neo4j: ancestors, {min(found)}-{max(found)} nodes, counted, page of 100", up, backend.closure
    )
    (some, *_) = _nearest(backend, early, Direction.DESCENDANTS, size, DESCENDANTS)
    for root, end in ((dag.models[0], size * 95 // 100), (some, size)):
        # Counts are remembered for a walk as of a size: a new one is asked for by another size.
        moments = [Walk(root, Direction.DESCENDANTS, end - n) for n in range(ASKED + 3)]
        at = "" if end == size else " as of 95%"
        name = f"neo4j: descendants{at}, {backend.closure(moments[0]).total:,} nodes"
        _timed(table, f"{name}: count, page of 100", moments[3:], backend.closure, warm=moments[1:3])
        _timed(table, f"{name}: page of 100", [moments[0]] * ASKED, backend.closure)
    pairs = [(dag.models[-1 - n], dag.models[0]) for n in range(200)]
    joined = [p for p in pairs if backend.paths(*p, size, 1)][:ASKED]
    _timed(table, "neo4j: 10 shortest paths to a base model", joined, lambda p: backend.paths(*p, size, 10))


def _nearest(
    backend: Neo4jBackend, models: Sequence[str], direction: Direction, size: int, wanted: int
) -> list[str]:
    """The models, those first that have nearest to `wanted` nodes in that direction."""
    totals = {key: backend.closure(Walk(key, direction, size), limit=1).total for key in models}
    return sorted(models, key=lambda key: abs(totals[key] - wanted))


def _timed(
    table: Table,
    name: str,
    questions: Sequence[Question],
    ask: Callable[[Question], object],
    warm: Sequence[Question] | None = None,
) -> None:
    for question in questions[:3] if warm is None else warm:
        ask(question)
    times = []
    for question in questions:
        begin = time.perf_counter()
        ask(question)
        times.append(time.perf_counter() - begin)
    times.sort()
    p95 = times[int(len(times) * 0.95)]
    table.add(name, times[len(times) // 2] * 1e3, "ms p50", f"p95 {p95 * 1e3:.0f} ms")
