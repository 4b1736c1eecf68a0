"""A real server for tests: the web and worker processes of `lineage up`, in a home of their own.

`Server.call` speaks HTTP by urllib3, like a pipeline; tests that need the wire itself open their own socket.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import urllib3

from tests import forks
from tests.postgresql.databases import fresh_database, replaced_if_empty
from tests.sqlite import tables

CHECKOUT = forks.CHECKOUT
START_SECONDS = 240.0
CALL_SECONDS = 60.0
"""For one answer, also on a machine that does other work."""

MIGRATE = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""
BEGIN = """
import django; django.setup()
from lineage.services import bootstrap, tokens
bootstrap.ensure()
scopes = ("attest", "read", "check", "decide", "operate")
print(tokens.create("tests", scopes, expires_at=None, by="os:tests")[1])
"""
"""On a database with all tables."""
PREPARE = MIGRATE + BEGIN


@dataclass(frozen=True)
class Server:
    """`token` has every scope."""

    port: int
    home: Path
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(
        self, method: str, path: str, body: bytes | None = None, media_type: str = "application/json"
    ) -> Any:
        """An answer of urllib3: `.status`, `.headers`, `.data`, `.json()`."""
        return urllib3.request(
            method,
            self.url + path,
            body=body,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": media_type},
            retries=False,
            timeout=CALL_SECONDS,
        )

    def register(self, pem: bytes, name: str) -> str:
        """Register a public key that may sign anything; returns its key id."""
        form = {"name": name, "public_key": pem.decode(), "scopes": {"any": True}}
        answer = self.call("POST", "/api/v1/keys", json.dumps(form).encode())
        assert answer.status == 201, answer.data
        return str(answer.json()["key_id"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(home: Path, **settings: str) -> Iterator[Server]:
    """A server in `home` (an empty folder) until the block ends. `settings` are LINEAGE_… variables."""
    with started_many(home, webs=1, workers=1, **settings) as (server,):
        yield server


@contextmanager
def started_many(home: Path, *, webs: int, workers: int, **settings: str) -> Iterator[list[Server]]:
    """So many web processes, each on a port of its own, and workers, on one log.

    Where the tests run on PostgreSQL, it has a database of its own there.
    """
    cluster = os.environ.get("LINEAGE_DATABASE_URL")
    with ExitStack() as stack:
        if cluster and "LINEAGE_DATABASE_URL" not in settings:
            settings["LINEAGE_DATABASE_URL"] = stack.enter_context(fresh_database(cluster))
        environment = _environment(home, settings)
        token = prepared(home, settings)
        log = stack.enter_context(open(home / "server.log", "wb"))
        ports = [free_port() for _ in range(webs)]
        commands = [({"LINEAGE_PORT": str(port)}, ["-m", "lineage.cli.web"]) for port in ports]
        commands += [({}, ["-m", "lineage.cli", "worker"])] * workers
        processes = [
            forks.start(command, env=environment | more, cwd=home, output=log, modules=forks.WEB)
            for more, command in commands
        ]
        try:
            for port in ports:
                _wait_until_ready(port, home)
            yield [Server(port, home, token) for port in ports]
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(START_SECONDS)


def prepared(home: Path, settings: Mapping[str, str]) -> str:
    """Begin a log in an empty home, or on an empty database; returns an API key of every scope."""
    return run(home, BEGIN if migrated(home, settings) else PREPARE, settings)


def migrated(home: Path, settings: Mapping[str, str]) -> bool:
    """Whether an empty home or database got all tables: a copy of those that this process made once."""
    if url := settings.get("LINEAGE_DATABASE_URL"):
        return replaced_if_empty(url, _postgresql_tables)
    database = home / "lineage.sqlite3"
    if database.exists():
        return False
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(_tables(), database)
    database.chmod(0o600)
    return True


@cache
def _tables() -> Path:
    if tables.path().exists():
        return tables.path()
    folder = Path(tempfile.mkdtemp(prefix="lineage-tables-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run(folder, MIGRATE, {})
    return folder / "lineage.sqlite3"


def _postgresql_tables(url: str) -> None:
    with tempfile.TemporaryDirectory(prefix="lineage-tables-") as folder:
        run(Path(folder), MIGRATE, {"LINEAGE_DATABASE_URL": url})


def run(home: Path, program: str, settings: Mapping[str, str]) -> str:
    """What a Python program says that runs with the settings of a server in `home`."""
    done = forks.run(["-c", program], env=_environment(home, settings), cwd=home)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _environment(home: Path, settings: Mapping[str, str]) -> dict[str, str]:
    usual = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
    return {
        **usual,
        "PYTHONPATH": str(CHECKOUT),
        "DJANGO_SETTINGS_MODULE": "lineage.settings",
        "LINEAGE_HOME": str(home),
        "LINEAGE_CHECKPOINT_SECONDS": "0.1",
        "LINEAGE_SECRET_KEY": "one for all web processes of the tests, and no secret",
        **settings,
    }


def _wait_until_ready(port: int, home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if urllib3.request("GET", f"http://127.0.0.1:{port}/health/ready", retries=False).status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError("the server did not become ready:\n" + (home / "server.log").read_text())
