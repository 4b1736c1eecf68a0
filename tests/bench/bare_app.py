"""The WSGI application of `bare`: a row (digest, body) for each request, durable before it is answered.

`BARE_DATABASE`: the path of an SQLite file or the URL of a PostgreSQL database, with the table made.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterable
from functools import cache
from threading import Lock
from typing import Any

import psycopg

TABLE = "bench_bare"
_ANSWER = b"{}"
_HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(_ANSWER)))]
_lock = Lock()


@cache
def _connected() -> Callable[[bytes, bytes], object]:
    """What writes a row in a transaction of its own."""
    database = os.environ["BARE_DATABASE"]
    if database.startswith("postgresql:"):
        server = psycopg.connect(database, autocommit=True, prepare_threshold=0)
        return lambda *row: server.execute(f"INSERT INTO {TABLE} VALUES (%b, %b)".encode(), row)
    file = sqlite3.connect(database, timeout=30, check_same_thread=False, isolation_level=None)
    file.execute("PRAGMA synchronous = FULL")
    return lambda *row: file.execute(f"INSERT INTO {TABLE} VALUES (?, ?)", row)


def application(
    environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    digest = hashlib.sha256(body).digest()
    with _lock:
        _connected()(digest, body)
    start("201 Created", _HEADERS)
    return [_ANSWER]
