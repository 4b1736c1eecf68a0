"""What `tests.bench.index` measures: fills the graph tables, asks, prints a line of JSON a figure."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402

from lineage.config import current  # noqa: E402
from lineage.graph import sql, sql_nodes, sql_walk  # noqa: E402
from lineage.graph.backend import Direction, GraphEntry, Walk  # noqa: E402
from lineage.graph.index import door, live  # noqa: E402
from lineage.graph.sql_backend import SqlBackend  # noqa: E402
from lineage.graph.sql_moment import Moment  # noqa: E402
from lineage.graph.status import Rules, Trust  # noqa: E402
from lineage.services import fill  # noqa: E402
from lineage.services.project_batch import Batch  # noqa: E402
from lineage.services.project_entries import Contribution, Judged  # noqa: E402
from lineage.trust.policy import KeyRing  # noqa: E402
from tests.bench import index_http  # noqa: E402
from tests.bench.dag import ENTRIES, Dag  # noqa: E402
from tests.factories import token  # noqa: E402

BATCH, ASKED = 1_000, 25
ASKED_OF_BIG = 3  # a closure of a million nodes takes the tables many seconds
LATE_US = 1 << 60
LATER = 1_500  # entries that come after the index was made: some 11,000 edges
RULES = Rules()
Question = TypeVar("Question")


def main() -> None:
    call_command("migrate", verbosity=0)
    wanted = int(sys.argv[1])
    if wanted > ENTRIES:
        _big(wanted)
        return
    dag, backend = Dag(wanted), SqlBackend()
    entries = list(dag.entries())
    _filled(dag, entries[:-LATER])
    _made()
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
    door.LEAST_EDGES = 0
    roots = _roots(backend, dag, len(entries))
    for name, least in (("tables", sys.maxsize), ("index", 0)):
        door.LEAST_EDGES = least
        _ask(name, backend, dag, len(entries), roots)
    _hydrated(backend, roots[-1], len(entries))
    _by_rest(roots[-2:])
    index_http.measure(roots[-2:], token("read"), tell)


def _big(wanted: int) -> None:
    """A graph that is only asked: what tables take seconds for is asked a few times."""
    dag = Dag(wanted)
    _filled(dag, dag.entries())
    _made()
    backend = SqlBackend()
    door.LEAST_EDGES = 0
    roots = _roots(backend, dag, wanted)
    _ask("index", backend, dag, wanted, roots)
    door.LEAST_EDGES = sys.maxsize
    _ask("tables", backend, dag, wanted, roots[:1], ASKED_OF_BIG)


def _filled(dag: Dag, entries: Iterable[GraphEntry]) -> None:
    """All tables made as a rebuild makes them, but for reading the log; making entries is not counted."""
    made, left = [0.0, 0.0], iter(entries)

    def read(_start: int, limit: int) -> list[Judged]:
        begin, cpu = time.perf_counter(), time.process_time()
        judged = [_judged(entry) for entry in islice(left, limit)]
        made[0] += time.perf_counter() - begin
        made[1] += time.process_time() - cpu
        return judged

    with connection.cursor() as cursor:
        sql.start(cursor, RULES.fingerprint())
        state = sql.read_state(cursor)
    assert state is not None
    begin, cpu, other = time.perf_counter(), time.process_time(), _of_children()
    fill.fill(state, RULES.fingerprint(), RULES, lambda done: None, read)
    took, used = time.perf_counter() - begin - made[0], time.process_time() - cpu - made[1]
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    cost = f"CPU {used:.1f} s, {_of_children() - other:.1f} s of the process that writes"
    note = f"{dag.nodes:,} nodes, {dag.edges:,} edges; {cost}; memory {most:,} MB at most"
    tell("making the tables anew", took, "s", note)


def _of_children() -> float:
    """CPU seconds of the processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _made() -> None:
    """The index's file is made, and mapped."""
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


def _ask(
    name: str, backend: SqlBackend, dag: Dag, size: int, roots: Sequence[str], asked: int = ASKED
) -> None:
    walks = [Walk(key, Direction.ANCESTORS, size, at_us=LATE_US) for key in dag.models[-ASKED * 7 :: 7]]
    totals = sorted(backend.closure(walk, limit=1).total for walk in walks)
    _timed(f"{name}: ancestors of {totals[0]:,} to {totals[-1]:,}, page of 100", backend.closure, walks)
    for root in roots:
        for as_of, when in ((size, ""), (size * 95 // 100, " as of 95%")):
            walk = Walk(root, Direction.DESCENDANTS, as_of, at_us=LATE_US)
            total = backend.closure(walk).total
            _timed(f"{name}: descendants of {total:,}{when}, page of 100", backend.closure, [walk] * asked)
            if name == "index":
                _timed(f"  the walk and counts alone{when}", _counted, [walk] * asked)
    pairs = [(dag.models[-1 - n], dag.models[0]) for n in range(asked * 8)]
    joined = [(*pair, size) for pair in pairs if backend.paths(*pair, size, 1)][:asked]
    for most in (1, 10):
        ask = partial(_paths, backend, most)
        _timed(f"{name}: {most} shortest paths to a base model", ask, joined)


def _roots(backend: SqlBackend, dag: Dag, size: int) -> list[str]:
    """The models of which most came, and the one of which nearest to 50,000 and to 15,000 nodes did."""
    totals = {
        key: backend.closure(Walk(key, Direction.DESCENDANTS, size), limit=1).total for key in dag.models[:40]
    }
    near = [min(totals, key=lambda key: abs(totals[key] - wanted)) for wanted in (50_000, 15_000)]
    return list(dict.fromkeys([*dag.models[:2], *near]))


def _counted(walk: Walk) -> None:
    ready, root = door.ready(walk.size), sql_walk.find(walk.root, walk.size)
    assert ready is not None
    assert root is not None
    ready.found(root[0], walk, None)


def _hydrated(backend: SqlBackend, root: str, size: int) -> None:
    """Pages of nodes with names, roles, statuses and trust, without the walk that finds them."""
    ids = sorted(backend.rows(Walk(root, Direction.DESCENDANTS, size)))
    pages = [ids[start : start + 100] for start in range(0, len(ids) - 100, max(100, len(ids) // ASKED))]
    moment = Moment(size, LATE_US)
    _timed("hydrating 100 nodes", lambda page: sql_nodes.load(page, moment), pages)


def _by_rest(roots: Sequence[str]) -> None:
    """The whole way through the REST interface in this process, without a socket."""
    client = Client(SERVER_NAME="127.0.0.1", headers={"Authorization": f"Bearer {token('read')}"})
    for root in roots:
        path = f"/api/v1/nodes/{root}/descendants"
        answer = client.get(path).json()
        assert answer["backend"] == "index"
        name = f"REST in process: descendants of {answer['total']:,}, counts by status, page of 100"
        _timed(name, client.get, [path] * ASKED)
        _timed("  without nodes that are shown: limit=1", client.get, [f"{path}?limit=1"] * ASKED)


def _paths(backend: SqlBackend, most: int, asked: tuple[str, str, int]) -> None:
    backend.paths(*asked, most)


def _timed(name: str, ask: Callable[[Question], object], questions: Sequence[Question]) -> None:
    times, cpu = list[float](), list[float]()
    for question in questions:
        begin, used = time.perf_counter(), time.process_time()
        ask(question)
        times.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - used)
    p95 = int(len(times) * 0.95)
    (p50_s, p95_s), (cpu_50, cpu_95) = (
        (each[len(each) // 2], each[p95]) for each in (sorted(times), sorted(cpu))
    )
    note = f"p95 {p95_s * 1e3:.2f} ms; CPU {cpu_50 * 1e3:.2f}, p95 {cpu_95 * 1e3:.2f} ms"
    tell(name, p50_s * 1e3, "ms p50", note)


def tell(name: str, value: float, unit: str, note: str = "") -> None:
    print(json.dumps({"name": name, "value": value, "unit": unit, "note": note}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lineage.settings")
    main()
