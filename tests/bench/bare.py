"""What a POST costs before anything is verified or looked up: our rates and latencies are multiples of it.

A server of as many processes as ours, by the same web server and on the same database, is given the same
bodies by the same load. It hashes each and writes a row, durably. What others do on a shared machine, and how
fast its disk is, slows both.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice

import psycopg

from tests.bench import load
from tests.bench.bare_app import TABLE
from tests.bench.installation import Installation
from tests.server import free_port

COUNT = 2000
"""Requests as fast as they are answered, over 16 connections."""
RATE = 400
PACED_SECONDS = 4
START_SECONDS = 60.0
WARM = 200


@dataclass(frozen=True)
class Bare:
    """Requests a second; and the p99, in seconds, of `RATE` offered a second."""

    rate: float
    p99: float


def look(at: Installation) -> Bare:
    """Beside an installation that has nothing to do meanwhile."""
    bodies = iter(load.envelopes(at.key, WARM + COUNT + RATE * PACED_SECONDS))
    with _serving(at) as port:

        def post(count: int, rate: float | None = None) -> load.Result:
            some = list(islice(bodies, count))
            return load.post(port, "", some, connections=16, media="text/plain", expect=(201,), rate=rate)

        post(WARM)
        return Bare(COUNT / post(COUNT).seconds, post(RATE * PACED_SECONDS, RATE).percentile(0.99))


def average(looks: list[Bare]) -> Bare:
    return Bare(sum(each.rate for each in looks) / len(looks), sum(each.p99 for each in looks) / len(looks))


@contextmanager
def _serving(at: Installation) -> Iterator[int]:
    """The port of the bare server, gone after the block."""
    port, database = free_port(), _table(at)
    server = subprocess.Popen(
        [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
         "--workers", str(len(at.web_pids)), "--no-ws", "--log-level", "error",
         "tests.bench.bare_app:application"],
        env=os.environ | {"BARE_DATABASE": database},
    )  # fmt: skip
    try:
        _wait(server, port)
        yield port
    finally:
        server.terminate()
        server.wait(60)


def _table(at: Installation) -> str:
    """A new one, where there is nothing else; the database that has it."""
    kind = "bytea" if at.database else "blob"
    make = f"CREATE TABLE {TABLE} (digest {kind} PRIMARY KEY, body {kind})"
    drop = f"DROP TABLE IF EXISTS {TABLE}"
    if at.database:
        with psycopg.connect(at.database, autocommit=True) as server:
            server.execute(drop.encode())
            server.execute(make.encode())
        return at.database
    path = at.home / "bare.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute(drop)
        file.execute(make)
    return str(path)


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        if server.poll() is not None:
            raise RuntimeError(f"the bare server ended with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
