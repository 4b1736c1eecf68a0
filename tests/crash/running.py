"""A real server that is killed and started again on the same home and database, and senders that go on.

Owns: its processes, each in a group of its own, and what senders were told. Does not own: what is looked at
afterwards.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import urllib3

from lineage.db.sqlite import graph_file
from lineage.trust.digest import sha256_hex
from tests import forks
from tests.crash import whole
from tests.crash.trace import Trace
from tests.crash.whole import Ask, Whole
from tests.server import BEGIN, PREPARE, Server, _environment, _wait_until_ready, free_port, migrated

PATIENCE_SECONDS = 180.0


def until(what: str, true: Callable[[], bool]) -> None:
    """Return once `true` says so. Raises: AssertionError where it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"in {PATIENCE_SECONDS:.0f} s it never came to this: {what}"
        time.sleep(0.02)


class Installation:
    """One home and database, with a web process `web` and a worker `worker`.

    `database` is a URL; "": SQLite in the home. `inside`: what is written before each command, which then
    runs somewhere else. `seen`: the home, as this process sees it.
    """

    def __init__(
        self, home: Path, database: str = "", *, inside: Sequence[str] = (), seen: Path | None = None
    ) -> None:
        self.home, self._database = home, database
        self._inside, self._seen = tuple(inside), seen or home
        self.settings = {"LINEAGE_DATABASE_URL": database} if database else {}
        self.processes: dict[str, forks.Process | subprocess.Popen[str]] = {}
        begin = BEGIN if migrated(self._seen, self.settings) else PREPARE
        self.server = Server(free_port(), self._seen, self.run("-c", begin))
        self.ports = {"web": self.server.port}

    def also(self, name: str) -> Server:
        """A further web process on the same log, from the next start on."""
        self.ports[name] = free_port()
        return Server(self.ports[name], self._seen, self.server.token)

    def run(self, *arguments: str) -> str:
        """What Python says with these arguments and the settings of the server. Raises: AssertionError."""
        environment = _environment(self.home, self.settings)
        if self._inside:
            command = [*self._inside, sys.executable, *arguments]
            done = subprocess.run(
                command, env=environment, cwd=self._seen, capture_output=True, text=True, check=False
            )
        else:
            done = forks.run(arguments, env=environment, cwd=self._seen)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def audited(self) -> None:
        """The whole log is read again as an operator does it. Raises: AssertionError where it is damaged."""
        self.run("-m", "lineage.cli", "log", "audit")

    def start(self) -> None:
        """What does not run; returns when all of it serves."""
        commands = {name: ["-m", "lineage.cli.web"] for name in self.ports}
        commands["worker"] = ["-m", "lineage.cli", "worker"]
        with open(self._seen / "server.log", "ab") as log:
            for name in commands.keys() - self.processes.keys():
                own = {"LINEAGE_PORT": str(self.ports[name])} if name in self.ports else {}
                environment = _environment(self.home, self.settings) | own
                self.processes[name] = (
                    subprocess.Popen(
                        [*self._inside, sys.executable, *commands[name]],
                        env=environment, cwd=self._seen, stdout=log, stderr=log, text=True, process_group=0,
                    )
                    if self._inside
                    else forks.start(
                        commands[name],
                        env=environment, cwd=self._seen, output=log, group=True, modules=forks.WEB,
                    )
                )  # fmt: skip
        for port in self.ports.values():
            _wait_until_ready(port, self._seen)

    def signal(self, name: str, number: signal.Signals) -> None:
        os.killpg(self.processes[name].pid, number)

    def kill(self, *names: str) -> None:
        """kill -9, all of these processes at once; without a name all that there are."""
        ended = [self.processes.pop(name) for name in names or tuple(self.processes)]
        for process in ended:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        for process in ended:
            process.wait()
        if not self.processes and self._database:
            until("PostgreSQL has noticed", lambda: self.ask(_OTHERS)[0][0] == 0)

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        """Rows of the database, read beside the server, all as they are at one moment."""
        if self._database:
            with psycopg.connect(self._database) as postgresql:
                postgresql.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                yield lambda sql: postgresql.execute(sql.encode()).fetchall()
            return
        with tempfile.TemporaryDirectory() as folder:
            path = self._copied(Path(folder)) if self._inside else self.home / "lineage.sqlite3"
            with closing(sqlite3.connect(path, timeout=30)) as file:
                file.execute("ATTACH DATABASE ? AS graph", [f"{path}{graph_file.SUFFIX}"])
                file.execute("BEGIN")
                # The graph as it is now, and the log a moment later: it is never ahead.
                file.execute("SELECT count(*) FROM graph.sqlite_master").fetchone()
                yield lambda sql: file.execute(sql).fetchall()

    def _copied(self, folder: Path) -> Path:
        """SQLite follows links by itself, and so not into where this process is not."""
        copy = folder / "copy.sqlite3"
        program = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM INTO ?', sys.argv[2:])"
        for file in (graph_file.SUFFIX, ""):  # the graph first: it is never ahead of the log
            self.run("-c", program, f"{self.home}/lineage.sqlite3{file}", f"{copy}{file}")
        return copy

    def ask(self, sql: str) -> list[Sequence[Any]]:
        with self.asking() as ask:
            return list(ask(sql))

    def reread(self, trace: Trace | None = None) -> Whole:
        """All of the log as it is now; what is seen of it is written into `trace`."""
        with self.asking() as ask:
            if trace is not None:
                trace.look(ask)
            return whole.reread(ask)


_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)


@dataclass
class Senders:
    """Threads that post new envelopes until they are told to end. An answer is kept before the next is sent.

    `acknowledged`: digest (hex) → index, `told` is called with each; `unanswered`: envelopes of which nothing
    is known; `refused` the reasons of those that were refused.
    """

    server: Server
    make: Callable[[int], list[bytes]]
    threads: int = 4
    told: Callable[[str, int], None] = lambda digest, index: None
    acknowledged: dict[str, int] = field(default_factory=dict)
    unanswered: list[bytes] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _ending: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._ending.clear()
        self._running = [threading.Thread(target=self._send) for _ in range(self.threads)]
        for thread in self._running:
            thread.start()

    def end(self) -> None:
        self._ending.set()
        for thread in self._running:
            thread.join()

    def _send(self) -> None:
        with urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS) as pool:
            while not self._ending.is_set():
                for envelope in self.make(20):
                    if self._ending.is_set() or not self.post(envelope, pool):
                        break

    def post(self, envelope: bytes, pool: urllib3.PoolManager) -> bool:
        """Whether it was answered."""
        headers = {"Authorization": f"Bearer {self.server.token}", "Content-Type": "application/json"}
        try:
            answer = pool.request(
                "POST", self.server.url + "/api/v1/attestations", body=envelope, headers=headers
            )
        except urllib3.exceptions.HTTPError:
            self.unanswered.append(envelope)
            self._ending.wait(0.02)
            return False
        self.statuses.append(answer.status)
        if answer.status in {200, 201}:
            digest, index = sha256_hex(envelope), int(answer.json()["index"])
            self.acknowledged[digest] = index
            self.told(digest, index)
            return True
        self.refused.append(str(answer.json()["detail"]))
        assert answer.status == 503, answer.data
        self.unanswered.append(envelope)
        return True

    def send_again(self) -> int:
        """All of which nothing is known: each is acknowledged now. Returns how many were there already."""
        waiting, self.unanswered = self.unanswered, []
        before = len(self.statuses)
        with urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS) as pool:
            for envelope in waiting:
                assert self.post(envelope, pool)
        assert self.unanswered == []
        return self.statuses[before:].count(200)
