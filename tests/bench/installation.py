"""A fresh `lineage up --no-demo` with a key and an API key, on a free port, gone after the block.

Embedded (SQLite, nothing else), or on PostgreSQL, Redis and Neo4j started for it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lineage import service_urls
from lineage.broker import QUEUES
from lineage.client import read_private_key
from lineage.localservices import neo4j, postgresql, redis
from lineage.trust.keys import PrivateKey
from tests.bench import load
from tests.bench.probes import Probe
from tests.server import free_port


@dataclass(frozen=True)
class Installation:
    port: int
    home: Path
    token: str
    key: PrivateKey
    login: str
    password: str
    web_pids: tuple[int, ...]
    database: str
    """Its URL; on SQLite empty."""
    probe: Probe


_PATIENCE_SECONDS = 60.0
_SETTLE_SECONDS = 2.0
MODULES = {"DATABASE": postgresql, "BROKER": redis, "GRAPH": neo4j}


@contextmanager
def services_in(home: Path, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Services of these names, started in this folder; the settings that name them."""
    with ExitStack() as running:
        settings = {}
        for name in names:
            service = MODULES[name].start(home / name.lower())
            running.callback(service.stop)
            settings[f"LINEAGE_{name}_URL"] = service.url
        yield settings


@contextmanager
def fresh(services: Sequence[str] = (), more: Mapping[str, str] | None = None) -> Iterator[Installation]:
    """`services`: names of `MODULES`; none means the embedded default. `more`: further settings."""
    home = Path(tempfile.mkdtemp(prefix="lineage-bench-"))
    home.chmod(0o711)  # PostgreSQL runs as another user below it where this one is root
    try:
        with services_in(home, services) as settings, _up(home, settings, more or {}) as installation:
            yield installation
    finally:
        shutil.rmtree(home)


@contextmanager
def _up(home: Path, settings: dict[str, str], more: Mapping[str, str]) -> Iterator[Installation]:
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LINEAGE_")}
    environment |= {"LINEAGE_HOME": str(home), "LINEAGE_PORT": str(port), **settings, **more}
    command = [sys.executable, "-m", "lineage.cli"]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments], env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    with open(home / "up.log", "wb") as log:
        up = subprocess.Popen(
            [*command, "up", "--no-demo", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert up.stdout is not None
            # One JSON value, on as many lines as it likes, once it serves.
            text = ""
            while not text.rstrip().endswith("}"):
                line = up.stdout.readline()
                if not line:
                    raise RuntimeError((home / "up.log").read_text())
                text += line
            address = json.loads(text)
            run("keys", "generate", "--out", str(home / "bench.pem"))
            scopes = ("--predicate-type", load.RUN, "--builder", load.BUILDER, "--subject", "bench/*")
            run("keys", "register", "--name", "bench", "--public-key", str(home / "bench.pem.pub"), *scopes)
            scope = [part for name in ("attest", "read", "check") for part in ("--scope", name)]
            token = run("tokens", "create", "--name", "bench", *scope)
            probe = _probe(home, settings)
            if "LINEAGE_BROKER_URL" in settings:
                _wait_for_workers(probe)
            yield Installation(
                port,
                home,
                token,
                read_private_key(home / "bench.pem"),
                address["login"],
                address["password"],
                _web_processes(up.pid),
                settings.get("LINEAGE_DATABASE_URL", ""),
                probe,
            )
            probe.close()
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(60)


def _probe(home: Path, settings: dict[str, str]) -> Probe:
    if not settings:
        return Probe.sqlite(home / "lineage.sqlite3")
    return Probe.postgresql(
        settings["LINEAGE_DATABASE_URL"], service_urls.graph(settings.get("LINEAGE_GRAPH_URL", ""))
    )


def _wait_for_workers(probe: Probe) -> None:
    """Until each queue has had one: they begin when the web serves, and loading them takes both cores."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while probe.ask("SELECT count(*) FROM worker_beat") < len(QUEUES):
        if time.monotonic() > deadline:
            raise RuntimeError("not every queue has a worker")
        time.sleep(0.1)
    time.sleep(_SETTLE_SECONDS)


def _web_processes(parent: int) -> tuple[int, ...]:
    """The processes that execute requests: granian's workers, the children of the web process."""
    children = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    rows = [line.split(None, 2) for line in children]
    web = next(int(pid) for pid, ppid, args in rows if int(ppid) == parent and "lineage.cli.web" in args)
    inner = [int(pid) for pid, ppid, _ in rows if int(ppid) == web]
    return tuple(inner) or (web,)
