"""Following an MLflow server, beside a real one on the same machine: as ratios to the bare calls.

The server's database is filled directly, because making runs by its API takes longer than what is measured.
Each visit runs in a process of its own (`mlflow_visit`), so that memory and CPU are of following alone.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineage.localservices import mlflow
from tests.mlflow_rest import Rest

if TYPE_CHECKING:
    from tests.bench.__main__ import Table

RUNS = 5_000
MODEL_BYTES = 300 << 20
_START = 1_790_000_000_000


def measure(table: Table, scale: float) -> None:
    """Fill a server with `RUNS` runs and a big model, then follow it."""
    home = Path(tempfile.mkdtemp(prefix="lineage-bench-mlflow-"))
    try:
        count = max(20, int(RUNS * scale))
        mlflow.start(home / "server").stop()  # makes its tables
        fill(home / "server" / "mlflow.db", count)
        server = mlflow.start(home / "server")
        try:
            _follow(table, home, server.url, count)
            _bytes(table, home, server.url, int(MODEL_BYTES * min(1.0, scale)))
        finally:
            server.stop()
    finally:
        shutil.rmtree(home)


def _follow(table: Table, home: Path, url: str, count: int) -> None:
    bare = visit(home, url, "bare")
    table.add(f"MLflow: {count} runs, bare paging", bare["paging"], "s")
    table.add("  bare runs/get, 8 connections", bare["get"], "s")
    first = visit(home, url, "sync")
    whole = bare["paging"] + bare["get"]
    table.add("  first sync", first["seconds"], "s", f"{first['seconds'] / whole:.2f} times the bare calls")
    table.add(
        "  first sync, our CPU a run", first["cpu"] / count * 1e3, "ms", f"{first['memory']} MB at most"
    )
    files = visit(home, url, "files")
    table.add("  files listed and lineage said", files["seconds"], "s", f"{files['memory']} MB at most")
    visit(home, url, "sync")
    idle = visit(home, url, "sync")
    table.add("  idle poll", idle["seconds"] * 1e3, "ms", f"{idle['cpu'] * 1e3:.0f} ms of our CPU")
    sweep = visit(home, url, "sweep")
    table.add("  full sweep", sweep["seconds"], "s", f"{sweep['seconds'] / whole:.2f} times the bare calls")
    relisted = visit(home, url, "files")
    table.add("  all files listed again", relisted["seconds"], "s")


def _bytes(table: Table, home: Path, url: str, size: int) -> None:
    rest = Rest(url)
    run = rest.run()
    model = rest.model(run, {"MLmodel": b"m"})
    folder = home / "server" / "artifacts" / "0" / "models" / model / "artifacts"
    with open(folder / "weights.bin", "wb") as file:
        for _ in range(0, size, 1 << 20):
            file.write(os.urandom(1 << 20))
    rest.finish(run)
    bare = visit(home, url, "download", model)
    visit(home, url, "sync")
    hashed = visit(home, url, "files")
    table.add("  bare download of a model", bare["bytes"] / bare["seconds"] / 1e6, "MB/s")
    rate = bare["bytes"] / hashed["seconds"] / 1e6
    table.add(
        "  hashed and recorded", rate, "MB/s", f"{bare['seconds'] / hashed['seconds']:.0%} of the bare rate"
    )


def visit(home: Path, url: str, what: str, *arguments: str) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    environment |= {
        "LINEAGE_HOME": str(home / "lineage"),
        "LINEAGE_PRIVATE_NETWORKS": "127.0.0.0/8",
        "LINEAGE_LOG_LEVEL": "warning",
        "DJANGO_SETTINGS_MODULE": "lineage.settings",
    }
    (home / "lineage").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.bench.mlflow_visit", url, what, *arguments]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def fill(database: Path, count: int) -> None:
    """Finished runs with eight params, four metrics and two tags each."""
    runs, params, metrics, tags = [], [], [], []
    for number in range(count):
        run, start = f"{number:032x}", _START + number * 1000
        folder = f"mlflow-artifacts:/0/{run}/artifacts"
        runs.append((run, f"run {number}", "bench", "FINISHED", start, start + 60_000, "active", folder, 0))
        params += [(f"p{place}", str(place), run) for place in range(8)]
        metrics += [(f"m{place}", place / 7, start, 0, False, run) for place in range(4)]
        tags += [("mlflow.runName", f"run {number}", run), ("stage", "a", run)]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO runs (run_uuid, name, user_id, status, start_time, end_time, lifecycle_stage,"
            " artifact_uri, experiment_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            runs,
        )
        connection.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", params)
        connection.executemany(
            "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            metrics,
        )
        connection.executemany("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", tags)
