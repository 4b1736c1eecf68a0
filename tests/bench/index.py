"""Measure closures and paths in the database's tables and with the closure index, over a million edges.

On SQLite and PostgreSQL, each in a process of its own (`index_run`); a graph of more than a million edges on
SQLite alone, by the index alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.dag import ENTRIES
from tests.bench.installation import services_in

if TYPE_CHECKING:
    from tests.bench.__main__ import Table


def measure(table: Table, scale: float) -> None:
    databases: dict[str, tuple[str, ...]] = {"SQLite": (), "PostgreSQL": ("DATABASE",)}
    for database, services in databases.items():
        if services and scale > 1:
            continue
        home = Path(tempfile.mkdtemp(prefix="lineage-bench-index-"))
        home.chmod(0o711)  # PostgreSQL runs as another user below it where this one is root
        try:
            with services_in(home, services) as settings:
                (home / "lineage").mkdir()
                for figure in _run(home / "lineage", settings, max(1, int(ENTRIES * scale))):
                    table.add(
                        f"{database}: {figure['name']}", figure["value"], figure["unit"], figure["note"]
                    )
        finally:
            shutil.rmtree(home)


def _run(home: Path, settings: dict[str, str], entries: int) -> list[dict[str, Any]]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LINEAGE_")}
    environment |= {"LINEAGE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "lineage.settings", **settings}
    command = [sys.executable, "-m", "tests.bench.index_run", str(entries)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    return found
