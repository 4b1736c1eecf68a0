"""What a POST costs before anything is verified or looked up: our rates and latencies are multiples of it.

A server of as many processes as ours, by the same web server and on the same database, is given the same
bodies by the same load. It hashes each and writes a row, durably. What others do on a shared machine, and how
fast its disk is, slows both.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice

import psycopg

from lineage.localservices.service import LOOPBACK, Launch
from tests.bench import load
from tests.bench.bare_app import TABLE
from tests.bench.installation import Installation
from tests.forks import CHECKOUT
from tests.web_servers import WebServer

COUNT = 2000
"""Requests as fast as they are answered, over 16 connections."""
RATE = 400
PACED_SECONDS = 4
WARM = 200


@dataclass(frozen=True)
class Bare:
    """Requests a second; and the p99, in seconds, of `RATE` offered a second."""

    rate: float
    p99: float


def look(at: Installation) -> Bare:
    """Beside an installation that has nothing to do meanwhile."""
    bodies = iter(load.envelopes(at.key, WARM + COUNT + RATE * PACED_SECONDS))
    server = _Server(at)
    server.start()

    def post(count: int, rate: float | None = None) -> load.Result:
        some = list(islice(bodies, count))
        return load.post(server.port, "", some, connections=16, media="text/plain", expect=(201,), rate=rate)

    try:
        post(WARM)
        return Bare(COUNT / post(COUNT).seconds, post(RATE * PACED_SECONDS, RATE).percentile(0.99))
    finally:
        server.stop()


def average(looks: list[Bare]) -> Bare:
    return Bare(sum(each.rate for each in looks) / len(looks), sum(each.p99 for each in looks) / len(looks))


class _Server(WebServer):
    """Its table is a new one, beside the installation's on PostgreSQL and in a file of its own on SQLite."""

    name = "bare server"

    def __init__(self, at: Installation) -> None:
        super().__init__(at.home / "bare")
        self._workers = len(at.web_pids)
        self._database = at.database or str(self.directory / "bare.sqlite3")
        self._on_postgresql = bool(at.database)

    def _prepare(self) -> None:
        kind = "bytea" if self._on_postgresql else "blob"
        make = f"CREATE TABLE {TABLE} (digest {kind} PRIMARY KEY, body {kind})"
        drop = f"DROP TABLE IF EXISTS {TABLE}"
        if self._on_postgresql:
            with psycopg.connect(self._database, autocommit=True) as server:
                server.execute(drop.encode())
                server.execute(make.encode())
            return
        with closing(sqlite3.connect(self._database, isolation_level=None)) as file:
            file.execute("PRAGMA journal_mode = WAL")
            file.execute(drop)
            file.execute(make)

    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        options = {"--interface": "wsgi", "--host": LOOPBACK, "--port": self.port, "--workers": self._workers}
        words = [str(word) for option in options.items() for word in option]
        yield Launch(
            [sys.executable, "-m", "granian", *words, "--no-ws", "--log-level", "error",
             "tests.bench.bare_app:application"],
            environment={"BARE_DATABASE": self._database, "PYTHONPATH": str(CHECKOUT)},
        )  # fmt: skip
