"""What `tests.bench.taint` measures: fills the graph tables, designates, clears, is killed, goes on.

`python -m tests.bench.taint_run ENTRIES`, in a fresh LINEAGE_HOME. Each decision is a signed entry that the
projector takes. Prints a line of JSON a figure.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from lineage.config import current  # noqa: E402
from lineage.db.models import Job, Taint  # noqa: E402
from lineage.graph import sql  # noqa: E402
from lineage.graph.backend import GraphEntry  # noqa: E402
from lineage.graph.index import live  # noqa: E402
from lineage.graph.sql_moment import Moment  # noqa: E402
from lineage.graph.status import Rules  # noqa: E402
from lineage.services import (  # noqa: E402
    as_of,
    belief,
    bootstrap,
    decide_taint,
    follow,
    job_kinds,
    jobs,
    lineage,
    project,
    status_counts,
    taint,
    taint_rows,
)
from lineage.services.project_batch import Batch  # noqa: E402
from tests.bench.dag import Dag  # noqa: E402
from tests.bench.index_run import _judged  # noqa: E402

BATCH = 1_000
WRITE = (
    "import django; django.setup(); from lineage.services import job_kinds, jobs, taint_rows;"
    "jobs.enqueue('taint'); print(jobs.drain('bench', kinds=[job_kinds.by_name('taint')]))"
)


def main(entries: str) -> None:
    call_command("migrate", verbosity=0)
    graph = [*Dag(int(entries)).entries()]
    bootstrap.ensure()
    _graph_after(graph)
    live.make(Path(current().home) / "cache" / "closure-index")
    root = Dag(0)
    list(root.entries())
    _measure(root.models[1])


def _graph_after(graph: list[GraphEntry]) -> None:
    """The generated graph in the tables as if all came with entry 0; decisions are entries after it."""
    first = [replace(entry, index=0) for entry in graph]
    with connection.cursor() as cursor:
        sql.start(cursor, "bench")
    for start in range(0, len(first), BATCH):
        judged = [_judged(entry) for entry in first[start : start + BATCH]]
        with transaction.atomic(), connection.cursor() as cursor:
            sql.apply(cursor, Batch(cursor, judged, Rules(), {}).fold())
    with connection.cursor() as cursor:
        cursor.execute("UPDATE graph_state SET projected = 1, rules = %s", [project.fingerprint()])
    sql.analyze(connection)


def _measure(key: str) -> None:
    took, cpu = _timed(lambda: lineage.status_counts(as_of.resolve(None)))
    tell("first page's counts, nothing tainted", took, "s", f"CPU {cpu:.2f} s")
    decide_taint.designate(key, "poisoned", person="os:bench")
    _after("designated")
    decide_taint.clear(key, "it was another", person="os:bench")
    _after("cleared")
    decide_taint.designate(key, "it was this one", person="os:bench")
    _killed()


def _after(what: str) -> None:
    """Project the decision, ask for pages with nothing remembered, write rows beside a caller who appends."""
    took, cpu = _timed(follow.project)
    tell(f"{what}: projected", took * 1e3, "ms", f"CPU {cpu * 1e3:.0f} ms")
    taint.forget()
    status_counts.forget()
    took, cpu = _timed(lambda: taint.tainted_ids(_moment()))
    tainted = lineage.status_counts(as_of.resolve(None)).tainted
    tell(f"{what}: {tainted:,} tainted, pages right", took * 1e3, "ms", f"CPU {cpu * 1e3:.0f} ms")
    waits: list[float] = []
    done = Event()
    appending = Thread(target=_append, args=(waits, done))
    appending.start()
    took, cpu = _timed(_write_rows)
    done.set()
    appending.join()
    standing = taint_rows.standing()
    assert standing.tainted == tainted, (standing.tainted, tainted)
    tell(f"{what}: rows right", took, "s", f"CPU {cpu:.2f} s")
    waits.sort()
    note = f"longest {waits[-1] * 1e3:.0f} ms"
    tell(f"  {len(waits)} appends meanwhile", waits[len(waits) // 2] * 1e3, "ms p50", note)


def _moment() -> Moment:
    return belief.moment(as_of.resolve(None))


def _write_rows() -> None:
    jobs.enqueue("taint")
    assert jobs.drain("bench", kinds=[job_kinds.by_name("taint")]) == 1


def _append(waits: list[float], done: Event) -> None:
    """Another decision, signed and durable, twenty times a second."""
    other = Dag(0)
    list(other.entries())
    try:
        while not (waits and done.wait(0.05)):
            begin = time.perf_counter()
            decide_taint.waive_taint(other.models[19], None, "evaluated again", person="os:bench")
            waits.append(time.perf_counter() - begin)
    finally:
        connection.close()


def _killed() -> None:
    """A process that writes the rows is killed half-way; the next one writes what is missing."""
    follow.project()
    with subprocess.Popen([sys.executable, "-c", WRITE], stdout=subprocess.DEVNULL) as writer:
        while writer.poll() is None and not Taint.objects.exists():
            time.sleep(0.001)
        writer.send_signal(signal.SIGKILL)
    left = Taint.objects.count()
    whole = taint_rows.standing().level
    Job.objects.filter(kind="taint", state=Job.State.RUNNING).update(lease_until_us=0)
    took, cpu = _timed(_again)
    standing = taint_rows.standing()
    if not standing.level or whole:
        raise RuntimeError(f"{left} rows of {standing.tainted} were all, or are not all now")
    note = f"CPU {cpu:.2f} s; {left:,} rows were there, and said not to be all"
    tell(f"killed and taken up: {standing.tainted:,} rows right", took, "s", note)


def _again() -> None:
    jobs.enqueue("taint")
    while not jobs.drain("bench", kinds=[job_kinds.by_name("taint")]):
        time.sleep(0.05)


def _timed(call: Callable[[], object]) -> tuple[float, float]:
    begin, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - begin, time.process_time() - cpu


def tell(name: str, value: float, unit: str, note: str = "") -> None:
    print(json.dumps({"name": name, "value": value, "unit": unit, "note": note}), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lineage.settings")
    main(*sys.argv[1:])
