"""How long it takes until pages are right after a key is revoked that signed for a hundred thousand nodes.

On SQLite and on PostgreSQL, each in a process of its own (`revocation_run`).
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

from tests.bench.installation import services_in

if TYPE_CHECKING:
    from tests.bench.__main__ import Table

THOUSANDS = 100


def measure(table: Table, unit: float, scale: float) -> None:
    """`unit`: seconds of one Ed25519 verification."""
    for database, services in (("SQLite", ()), ("PostgreSQL", ("DATABASE",))):
        home = Path(tempfile.mkdtemp(prefix="lineage-bench-revocation-"))
        home.chmod(0o711)  # PostgreSQL runs as another user below it where this one is root
        try:
            with services_in(home, services) as settings:
                (home / "lineage").mkdir()
                found = _run(home / "lineage", settings, max(1, int(THOUSANDS * scale)))
        finally:
            shutil.rmtree(home)
        _tell(table, unit, database, found)


def _run(home: Path, settings: dict[str, str], thousands: int) -> dict[str, Any]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LINEAGE_")}
    environment |= {"LINEAGE_HOME": str(home), "DJANGO_SETTINGS_MODULE": "lineage.settings", **settings}
    command = [sys.executable, "-m", "tests.bench.revocation_run", str(thousands)]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _tell(table: Table, unit: float, database: str, found: dict[str, Any]) -> None:
    nodes = found["nodes"]
    if found["after"]["unverified"] < nodes * 0.99:
        raise RuntimeError(f"the revocation did not reach all nodes: {found}")
    name = f"{database}: revoking a key behind {nodes:,} nodes"
    ratio = f"{found['projected'] / nodes / unit:.2f} verifications a node"
    table.add(f"{name}, statuses right", found["projected"], "s", ratio)
    table.add("  CPU of our process", found["cpu"], "s")
    right = found["projected"] + found["first_page"] + found["list"]
    note = f"counts and taint {found['first_page']:.2f} s, a list {found['list']:.2f} s"
    table.add("  with the first page and list", right, "s", note)
    table.add("  what the decision changed, first asked", found["changed"], "s")
