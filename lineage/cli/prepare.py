"""`lineage prepare`: what `lineage up` does first, for those who start the processes themselves."""

from __future__ import annotations

import os

import click

from lineage import config as configuration
from lineage.cli import first_start, server
from lineage.cli import home as homes
from lineage.cli.output import say


@click.command()
def command() -> None:
    """Set up or upgrade an installation: tables, log and keys, static files, the first account.

    Does nothing where all of it is there. The first account's password is in LINEAGE_HOME/initial-login.
    """
    server.require()
    os.umask(0o077)
    homes.make(configuration.current().home)
    server.start_django()
    with server.database_errors():
        first_start.prepare(configuration.current().home, say)
    say("Prepared")
