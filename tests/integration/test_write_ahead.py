"""SQLite's write-ahead log is copied beside the commits: all of it, and never in the way of an append."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage import databases
from lineage.db.models import LogHead
from lineage.db.sqlite.mapping import map_nothing
from lineage.services import intake, log_connection, write_ahead
from tests import factories
from tests.server import prepared, run

WORKER = """
import json, threading
import django; django.setup()
from django.db import connection
from workers import beginning, embedded

found, ending = [], threading.Event()

def look():
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA mmap_size")
        found.append(cursor.fetchone()[0])
    ending.set()
    return True

beginning.begin()
look()
ending.clear()
side = embedded._Side("short", look, ending)
side.start()
side.join()
print(json.dumps(found))
"""

pytestmark = [
    pytest.mark.usefixtures("log"),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite's lies in a file of ours"),
]


def _append(count: int) -> None:
    signer = factories.registered()
    for _ in range(count):
        intake.submit(signer.envelope(factories.statement()), token="t")


def test_what_was_committed_is_copied() -> None:
    _append(3)
    pages, copied = write_ahead.copy()
    assert pages > 0
    assert copied == pages
    assert write_ahead.copy() == (pages, pages), "there was nothing more to copy"


def test_whoever_reads_an_older_state_holds_up_neither_copy_nor_append() -> None:
    _append(1)
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as reader:
        reader.execute("BEGIN")
        (size,) = reader.execute("SELECT size FROM log_head").fetchone()
        _append(2)
        pages, copied = write_ahead.copy()
        assert copied < pages, "what the reader's state still needs stays"
        assert reader.execute("SELECT size FROM log_head").fetchone() == (size,)
        assert LogHead.objects.get().size > size
    pages, copied = write_ahead.copy()
    assert copied == pages


@pytest.mark.usefixtures("durable")
def test_a_commit_copies_only_from_the_own_limit_on() -> None:
    _append(1)
    for database in (connection, log_connection._kept[0]):
        with database.cursor() as cursor:
            cursor.execute("PRAGMA wal_autocheckpoint")
            assert cursor.fetchone() == (databases.SQLITE_WRITE_AHEAD_PAGES,)
            cursor.execute("PRAGMA synchronous")
            assert cursor.fetchone() == (2,), "FULL: durable before anybody is answered"


def _mapped(database: BaseDatabaseWrapper) -> dict[str, int]:
    """Of each file that a connection has, how many bytes it reads as memory at most."""
    with database.cursor() as cursor:
        cursor.execute("PRAGMA database_list")
        files = {name for _, name, path in cursor.fetchall() if path}
        found = {}
        for file in files:
            cursor.execute(f"PRAGMA {file}.mmap_size")
            (found[file],) = cursor.fetchone()
    return found


def test_who_appends_maps_nothing_of_the_log() -> None:
    _append(1)
    assert _mapped(log_connection._kept[0]) == {"main": 0}
    log_connection._kept[0].close()
    _append(1)
    assert _mapped(log_connection._kept[0]) == {"main": 0}, "nor once it has connected anew"


def test_who_reads_maps_both_files_until_it_is_to_map_nothing() -> None:
    with closing(connection.copy()) as own:
        assert _mapped(own) == dict.fromkeys(("main", "graph"), databases.SQLITE_MAPPED_BYTES)
        map_nothing(own)
        assert _mapped(own) == {"main": 0, "graph": 0}
        own.close()
        assert _mapped(own) == {"main": 0, "graph": 0}, "also once it has connected anew"


def test_a_worker_maps_nothing_in_any_of_its_threads(tmp_path: Path) -> None:
    home = tmp_path / "home"
    prepared(home, {})
    assert json.loads(run(home, WORKER, {})) == [0, 0]
