"""Memory of a first sync of many runs, in a process of its own beside a real MLflow server.

`python -m tests.bench.mlflow_memory [RUNS]`: prints how the process stands every half minute, and at the end
its time, CPU and most memory. At 100,000 runs most of the time is MLflow's own, so `make bench` leaves it
out.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from lineage.localservices import mlflow
from tests.bench.mlflow import fill, visit

RUNS = 100_000
SECONDS = 30.0


def main(count: int) -> None:
    """Fill a server with this many runs, and sync all of them."""
    home = Path(tempfile.mkdtemp(prefix="lineage-bench-mlflow-"))
    try:
        mlflow.start(home / "server").stop()  # makes its tables
        fill(home / "server" / "mlflow.db", count)
        server = mlflow.start(home / "server")
        done = threading.Event()
        watch = threading.Thread(target=_watch, args=(home / "lineage", done))
        watch.start()
        try:
            found = visit(home, server.url, "sync")
        finally:
            done.set()
            watch.join()
            server.stop()
        print(f"{count:,} runs: {found['seconds']:.0f} s, {found['cpu']:.0f} s of our CPU,", end=" ")
        print(f"{found['memory']} MB at most; {found['result']}")
    finally:
        shutil.rmtree(home)


def _watch(home: Path, done: threading.Event) -> None:
    """Say how many entries there are and what memory the syncing process holds.

    Its own, and that with the pages of files that the system can take back at any time: SQLite maps up to
    256 MB of its database.
    """
    begun = time.monotonic()
    while not done.wait(SECONDS):
        seconds, entries = time.monotonic() - begun, _entries(home)
        held = _megabytes()
        print(f"{seconds:6.0f} s {entries:8,} entries {held.get('RssAnon', 0):5} MB own,", end=" ")
        print(f"{held.get('VmRSS', 0)} MB in all, {held.get('VmHWM', 0)} MB at most", flush=True)


def _entries(home: Path) -> int:
    for database in home.glob("*.sqlite3"):
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT size FROM log_head").fetchone()[0])
    return 0


def _megabytes() -> dict[str, int]:
    """By the system's names, of the visit's process, the only one of its kind here."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if b"tests.bench.mlflow_visit" in (status.parent / "cmdline").read_bytes():
                lines = [line.split() for line in status.read_text().splitlines()]
                return {name.rstrip(":"): int(rest[0]) // 1024 for name, *rest in lines if rest[1:] == ["kB"]}
        except OSError:
            continue  # it has ended meanwhile
    return {}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
