"""What has to be there before the server starts: tables, the log, static files, somebody who may sign in.

Each step does nothing where it has been done before. Of several that start at once on one PostgreSQL, one
does them and the others wait. Django must be ready.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.cli import home as homes
from lineage.cli.server import pending_migrations

FIRST_OPERATOR = "operator@localhost"
ALONE_MS = 600_000
"""How long to wait for another's migrations."""
_SET_UP_LOCK = 0x4C494E45414745  # "LINEAGE"
_SOURCES_FILE = ".sources"
UNUSED_STATIC = ["rest_framework"]
"""Folders of static files that no page links to: compressing them takes longer than all else together."""

Say = Callable[[str], None]


def prepare(home: Path, say: Say) -> None:
    """Do every step, saying what is done."""
    from lineage.services import bootstrap, high_water

    try:
        with alone():
            _migrate(say)
            bootstrap.ensure()
            if warning := high_water.warning():
                say(f"WARNING: nothing is appended or published. {warning}")
            _collect_static(say)
            _first_operator(home, say)
    finally:
        _disconnect()


@contextmanager
def alone() -> Iterator[None]:
    """Hold PostgreSQL's advisory lock of the set-up. On SQLite `homes.locked` has done as much.

    A migration may take longer than any statement of a request.
    """
    from django.db import connection

    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET lock_timeout = %s", [ALONE_MS])
        cursor.execute("SELECT pg_advisory_lock(%s)", [_SET_UP_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_SET_UP_LOCK])
            cursor.execute("RESET statement_timeout")
            cursor.execute("RESET lock_timeout")


def _disconnect() -> None:
    """Close the connections, and the pool with its threads: this process forks, and with one thread only."""
    from django.db import DEFAULT_DB_ALIAS, connections

    connections.close_all()
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "postgresql":
        from django.db.backends.postgresql.base import DatabaseWrapper

        assert isinstance(connection, DatabaseWrapper)
        connection.close_pool()


def _migrate(say: Say) -> None:
    from django.core.management import call_command

    waiting = pending_migrations()
    if waiting:
        say(f"Database: applying {len(waiting)} migrations")
        call_command("migrate", interactive=False, verbosity=0)


def _collect_static(say: Say) -> None:
    """Gather, name by content and compress the static files, if any has changed since."""
    from django.conf import settings
    from django.core.management import call_command

    mark = Path(settings.STATIC_ROOT) / _SOURCES_FILE
    sources = hashlib.sha256("".join(sorted(_static_sources())).encode()).hexdigest()
    if mark.exists() and mark.read_text() == sources:
        return
    say("Static files: gathering")
    call_command("collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=UNUSED_STATIC)
    mark.write_text(sources)


def _static_sources() -> Iterator[str]:
    from django.contrib.staticfiles.finders import get_finders

    for finder in get_finders():
        for name, storage in finder.list(UNUSED_STATIC):
            stat = Path(storage.path(name)).stat()
            yield f"{name} {stat.st_size} {stat.st_mtime_ns}\n"


def _first_operator(home: Path, say: Say) -> None:
    from lineage.services import people

    if not people.nobody_yet():
        return
    login = homes.Login(FIRST_OPERATOR, people.generate_password())
    # The file first: an account whose password nobody was told would lock everybody out.
    homes.write_login(home, login)
    people.create(login.email, "operator", login.password)
    say(f"Account: created {login.email}, who may do everything")
