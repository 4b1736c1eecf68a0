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
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import urllib3

from lineage.trust.digest import sha256_hex
from tests.server import PREPARE, Server, _environment, _wait_until_ready, free_port, run

PATIENCE_SECONDS = 60.0


def until(what: str, true: Callable[[], bool]) -> None:
    """Return once `true` says so. Raises: AssertionError where it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"in {PATIENCE_SECONDS:.0f} s it never came to this: {what}"
        time.sleep(0.02)


class Installation:
    """One home and database. `database` is a URL; "": SQLite in the home."""

    def __init__(self, home: Path, database: str = "") -> None:
        self.home, self._database = home, database
        self.settings = {"LINEAGE_DATABASE_URL": database} if database else {}
        self.server = Server(free_port(), home, run(home, PREPARE, self.settings))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Web and worker; returns when it serves."""
        environment = _environment(self.home, self.settings) | {"LINEAGE_PORT": str(self.server.port)}
        commands = {"web": ["-m", "lineage.cli.web"], "worker": ["-m", "lineage.cli", "worker"]}
        with open(self.home / "server.log", "ab") as log:
            for name, command in commands.items():
                self.processes[name] = subprocess.Popen(
                    [sys.executable, *command],
                    env=environment, cwd=self.home, stdout=log, stderr=log, process_group=0,
                )  # fmt: skip
        _wait_until_ready(self.server.port, self.home)

    def signal(self, name: str, number: signal.Signals) -> None:
        os.killpg(self.processes[name].pid, number)

    def kill(self) -> None:
        """kill -9, all of its processes at once."""
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        for process in self.processes.values():
            process.wait()
        self.processes.clear()

    def ask(self, sql: str) -> list[Sequence[Any]]:
        """Rows of the database, read beside the server."""
        if self._database:
            with psycopg.connect(self._database) as postgresql:
                return list(postgresql.execute(sql.encode()).fetchall())
        with closing(sqlite3.connect(self.home / "lineage.sqlite3", timeout=30)) as file:
            return file.execute(sql).fetchall()


@dataclass
class Senders:
    """Threads that post new envelopes until they are told to end. An answer is kept before the next is sent.

    `acknowledged`: digest (hex) → index; `unanswered`: envelopes of which nothing is known.
    """

    server: Server
    make: Callable[[int], list[bytes]]
    threads: int = 4
    acknowledged: dict[str, int] = field(default_factory=dict)
    unanswered: list[bytes] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
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
            self.acknowledged[sha256_hex(envelope)] = int(answer.json()["index"])
            return True
        assert answer.status == 503, answer.data
        self.unanswered.append(envelope)
        return True

    def send_again(self) -> None:
        """All of which nothing is known: each is acknowledged now."""
        waiting, self.unanswered = self.unanswered, []
        with urllib3.PoolManager(retries=False, timeout=PATIENCE_SECONDS) as pool:
            for envelope in waiting:
                assert self.post(envelope, pool)
        assert self.unanswered == []
