"""`lineage worker`: the loop that projects the log into the graph and publishes checkpoints."""

from __future__ import annotations

import logging
import os
import signal
from types import FrameType

import click

from lineage import loading
from lineage.cli import server

log = logging.getLogger(__name__)

BEHIND_ANSWERS = 10
"""Added to the niceness: where the cores don't suffice for both, senders get their receipts first."""


@click.command()
def command() -> None:
    """Follow the log: keep the graph level, publish checkpoints. `lineage up` starts one."""
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    os.nice(BEHIND_ANSWERS)
    with server.log_ready():
        with loading.unsearched():
            from workers import beginning, embedded

        beginning.begin()
        embedded.run(lambda: stopping)
