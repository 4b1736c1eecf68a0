"""`lineage log audit` over a log of many signed entries: wall time, and what each entry costs the processors.

The log is made without a server: envelopes are signed, verified and appended in sets, as a server does.
`python -m tests.bench.log_audit COUNT` makes it in the installation that the environment names.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Protocol

from tests.bench import load
from tests.bench.installation import services_in

INSTALLATIONS = {"SQLite": (), "PostgreSQL": ("DATABASE",)}
COUNT = 100_000
SET = 1_000


class Table(Protocol):
    def add(self, name: str, value: float, unit: str, note: str = "") -> None: ...


def measure(table: Table, unit: float, scale: float) -> None:
    """`unit`: seconds of one Ed25519 verification."""
    count = max(SET, int(COUNT * scale))
    for name, services in INSTALLATIONS.items():
        home = Path(tempfile.mkdtemp(prefix="lineage-bench-"))
        home.chmod(0o711)
        try:
            with services_in(home, services) as settings:
                _measure(table, unit, f"audit, {name}", {"LINEAGE_HOME": str(home), **settings}, count)
        finally:
            shutil.rmtree(home)


def _measure(table: Table, unit: float, name: str, settings: dict[str, str], count: int) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")} | settings
    _run(environment, "-m", "lineage.cli", "prepare")
    _run(environment, "-m", "tests.bench.log_audit", str(count))
    before, begin = _cpu_seconds(), time.perf_counter()
    told = json.loads(_run(environment, "-m", "lineage.cli", "log", "audit", "--json"))
    wall, cpu = time.perf_counter() - begin, _cpu_seconds() - before
    if told["wrong"] or told["read"] < count:
        raise RuntimeError(f"the audit found {told}")
    read = told["read"]
    note = f"{read / wall:,.0f} entries a second; load {os.getloadavg()[0]:.1f}"
    table.add(f"{name}, {read:,} entries", wall, "s", note)
    table.add("  CPU an entry", cpu / read * 1e6, "µs", f"{cpu / read / unit:.2f} verifications")
    table.add("  so a million entries on two free cores", cpu / read * 1e6 / 2, "s", "computed; goal 90 s")


def _run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def _cpu_seconds() -> float:
    """Of processes that have ended, theirs included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def fill(count: int) -> None:
    """Append so many signed statements by one registered key to the log, and publish."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lineage.settings")
    import django

    django.setup()
    from lineage.services import append, bootstrap, keyring, publish
    from lineage.services.intake import prepare
    from lineage.trust.policy import Scopes
    from tests import factories

    bootstrap.ensure()
    signer = factories.registered(Scopes(any=True))
    ring = keyring.current()
    for begin in range(0, count, SET):
        lines = load.envelopes(signer.private, min(SET, count - begin))
        append.append([prepare(line, ring) for line in lines])
        publish.publish_once()


if __name__ == "__main__":
    fill(int(sys.argv[1]))
