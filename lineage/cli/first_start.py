"""What has to be there before the server starts: tables, the log, static files, somebody who may sign in.

Each step does nothing where it has been done before. Django must be ready.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from lineage.cli import home as homes
from lineage.cli.server import pending_migrations

FIRST_OPERATOR = "operator@localhost"
_SOURCES_FILE = ".sources"
_UNUSED_STATIC = ["rest_framework"]
"""Folders of static files that no page links to: compressing them takes longer than all else together."""

Say = Callable[[str], None]


def prepare(home: Path, say: Say) -> None:
    """Do every step, saying what is done."""
    from django.db import connections

    from lineage.services import bootstrap

    _migrate(say)
    bootstrap.ensure()
    _collect_static(say)
    _first_operator(home, say)
    connections.close_all()  # the children have their own


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
    call_command("collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=_UNUSED_STATIC)
    mark.write_text(sources)


def _static_sources() -> Iterator[str]:
    from django.contrib.staticfiles.finders import get_finders

    for finder in get_finders():
        for name, storage in finder.list(_UNUSED_STATIC):
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
