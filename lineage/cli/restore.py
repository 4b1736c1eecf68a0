"""`lineage restore`: an archive into an empty database, of either vendor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from lineage.cli import first_start, server
from lineage.cli import home as homes
from lineage.cli.output import json_option, progress, say, show


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def command(file: Path, as_json: bool) -> None:
    """Restore a backup from FILE into the empty database that LINEAGE_DATABASE_URL names.

    SQLite or PostgreSQL, whichever the backup came from. Whole or not at all: where it fails or is killed the
    database stays empty, and it can be begun again.
    """
    server.require()
    os.umask(0o077)
    server.start_django()
    from lineage.config import current
    from lineage.services import high_water, restore

    home = current().home
    homes.make(home)
    before = 0
    with (
        homes.locked(home),
        server.database_errors(),
        first_start.alone(),
        _no_example(home),
        progress("restoring", shown=lambda count: f"{count:.0f} entries") as advance,
    ):

        def report(done: int, _total: int) -> None:
            nonlocal before
            advance(done - before)
            before = done

        restored = restore.read(file, report=report)
        older = high_water.warning()
    lines = [
        f"Restored {restored.entries} entries of the log {restored.origin}",
        f"Root hash {restored.root_hash}, checkpoints up to {restored.published}",
        f"Log {restored.verifier_key}",
    ]
    show(as_json, asdict(restored), lines)
    if not restored.keys:
        say(f"The archive has no private keys: put the log's own into {current().keys} before the start.")
    if older:
        say(older)
    say("Compare the root hash with what you keep elsewhere: entries after this backup are not in it.")
    say("The graph follows at the next start of `lineage up`, from the log.")


@contextmanager
def _no_example(home: Path) -> Iterator[None]:
    """The example is for a new log: the next start must not run it into the restored one."""
    if homes.example_done(home):
        yield
        return
    homes.mark_example_done(home)
    try:
        yield
    except BaseException:
        homes.unmark_example_done(home)
        raise
