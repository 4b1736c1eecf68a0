"""`lineage services`: PostgreSQL, Redis and Neo4j alone, in the foreground, for development."""

from __future__ import annotations

import os
import sys
import time

import click

from lineage import config as configuration
from lineage.cli import home as homes
from lineage.cli import server
from lineage.cli.interrupts import Interrupts
from lineage.cli.output import json_option, say, show

FOLDER = "services"
"""Inside LINEAGE_HOME."""
_TICK_SECONDS = 0.2


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Start PostgreSQL, Redis and Neo4j on this machine and print the settings that point to them.

    Keeps their data in LINEAGE_HOME/services/. Stays in the foreground and stops them at Ctrl-C. The output
    holds passwords, and can be taken as it is into a shell's or a program's environment.
    """
    server.require()
    os.umask(0o077)
    from lineage.localservices.stack import Stack

    home = configuration.load(os.environ).home
    homes.make(home)
    stack = Stack(home / FOLDER, {})
    stack.begin(say)
    try:
        stack.await_ready(everything=True)
        show(as_json, stack.settings, [f"{name}={url}" for name, url in sorted(stack.settings.items())])
        sys.stdout.flush()
        say("Ctrl-C stops them.")
        interrupts = Interrupts()  # until here Python's own ways are the quickest
        while not interrupts.came:
            stack.tend(say)
            time.sleep(_TICK_SECONDS)
    finally:
        say("Stopping")
        stack.stop()
