"""What `tests.bench.index` measures: fills the graph tables, asks, prints a line of JSON a figure."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from lineage.config import current  # noqa: E402
from lineage.graph import sql, sql_walk  # noqa: E402
from lineage.graph.backend import Direction, GraphEntry, Walk  # noqa: E402
from lineage.graph.index import door, live  # noqa: E402
from lineage.graph.sql_backend import SqlBackend  # noqa: E402
from lineage.graph.status import Rules, Trust  # noqa: E402
from lineage.services.project_batch import Batch  # noqa: E402
from lineage.services.project_entries import Contribution, Judged  # noqa: E402
from lineage.trust.policy import KeyRing  # noqa: E402
from tests.bench.dag import Dag  # noqa: E402

BATCH, ASKED = 1_000, 25
LATER = 1_500  # entries that come after the index was made: some 11,000 edges
RULES = Rules()
Question = TypeVar("Question")


def main() -> None:
    call_command("migrate", verbosity=0)
    dag, backend = Dag(int(sys.argv[1])), SqlBackend()
    entries = list(dag.entries())
    begin = time.perf_counter()
    _feed(entries[:-LATER])
    tell(
        "projecting into the tables",
        time.perf_counter() - begin,
        "s",
        f"{dag.nodes:,} nodes, {dag.edges:,} edges",
    )
    path = Path(current().home) / "cache" / "closure-index"
    begin, cpu = time.perf_counter(), time.process_time()
    part = live.make(path)
    assert part is not None
    took = time.perf_counter() - begin
    tell("index: made whole", took, "s", f"CPU {time.process_time() - cpu:.2f} s")
    tell(
        "index: its file",
        path.stat().st_size / part.edges,
        "bytes an edge",
        f"{path.stat().st_size / 1e6:.1f} MB",
    )
    begin = time.perf_counter()
    assert door.ready(0) is not None
    tell("index: a process is ready", (time.perf_counter() - begin) * 1e3, "ms")
    _feed(entries[-LATER:])
    begin = time.perf_counter()
    ready = door.ready(len(entries))
    assert ready is not None
    assert ready.graph.since is not None
    tell(
        "index: taking in what came",
        (time.perf_counter() - begin) * 1e3,
        "ms",
        f"{ready.graph.since.edges:,} edges",
    )
    for name, least in (("tables", sys.maxsize), ("index", 0)):
        door.LEAST_EDGES = least
        _ask(name, backend, dag, len(entries))


def _feed(entries: Sequence[GraphEntry]) -> None:
    with connection.cursor() as cursor:
        sql.start(cursor, RULES.fingerprint())
    left = iter(entries)
    while batch := list(islice(left, BATCH)):
        with transaction.atomic(), connection.cursor() as cursor:
            seen = sql.read_state(cursor)
            assert seen is not None
            rows = Batch(cursor, [_judged(entry) for entry in batch], RULES, {}).fold()
            assert sql.advance(cursor, seen, batch[-1].index + 1)
            sql.apply(cursor, rows)
    sql.analyze(connection)


def _judged(entry: GraphEntry) -> Judged:
    contributions = tuple(Contribution(signer, delta) for signer, delta in entry.contributions)
    return Judged(entry.index, entry.index, Trust(entry.trust), contributions, KeyRing())


def _ask(name: str, backend: SqlBackend, dag: Dag, size: int) -> None:
    walks = [Walk(key, Direction.ANCESTORS, size) for key in dag.models[-ASKED * 7 :: 7]]
    totals = sorted(backend.closure(walk, limit=1).total for walk in walks)
    _timed(f"{name}: ancestors of {totals[0]:,} to {totals[-1]:,}, page of 100", backend.closure, walks)
    for root in dag.models[:2]:
        for as_of, when in ((size, ""), (size * 95 // 100, " as of 95%")):
            walk = Walk(root, Direction.DESCENDANTS, as_of)
            total = backend.closure(walk).total
            _timed(f"{name}: descendants of {total:,}{when}, page of 100", backend.closure, [walk] * ASKED)
            if name == "index":
                _timed(f"  the walk and counts alone{when}", _counted, [walk] * ASKED)
    pairs = [(dag.models[-1 - n], dag.models[0]) for n in range(200)]
    joined = [(*pair, size) for pair in pairs if backend.paths(*pair, size, 1)][:ASKED]
    for most in (1, 10):
        ask = partial(_paths, backend, most)
        _timed(f"{name}: {most} shortest paths to a base model", ask, joined)


def _counted(walk: Walk) -> None:
    ready, root = door.ready(walk.size), sql_walk.find(walk.root, walk.size)
    assert ready is not None
    assert root is not None
    ready.counted(root[0], walk.way, walk.depth)


def _paths(backend: SqlBackend, most: int, asked: tuple[str, str, int]) -> None:
    backend.paths(*asked, most)


def _timed(name: str, ask: Callable[[Question], object], questions: Sequence[Question]) -> None:
    times = []
    for question in questions:
        begin = time.perf_counter()
        ask(question)
        times.append(time.perf_counter() - begin)
    times.sort()
    p95 = times[int(len(times) * 0.95)]
    tell(name, times[len(times) // 2] * 1e3, "ms p50", f"p95 {p95 * 1e3:.2f} ms")


def tell(name: str, value: float, unit: str, note: str = "") -> None:
    print(json.dumps({"name": name, "value": value, "unit": unit, "note": note}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lineage.settings")
    main()
