"""Which processes serve an installation: the web server, and what works behind it.

Owns: their names and command lines; `compose.yaml` starts the same in containers. Does not own: keeping them
alive (`lineage.cli.family`).
"""

from __future__ import annotations

import shutil
import sys

from lineage.config import Config

Command = tuple[str, ...]

_WEB: Command = ("-m", "lineage.cli.web")
_EMBEDDED: Command = ("-m", "lineage.cli", "worker")
# Celery warns root of pickled messages; ours are JSON and nothing else is accepted.
_QUIET: Command = ("-W", "ignore:You're running the worker with superuser privileges")
_CELERY: Command = (*_QUIET, "-m", "celery", "--app=workers.app", "--quiet")
_WORKER: Command = (*_CELERY, "worker", "--loglevel=WARNING", "--without-mingle", "--without-gossip")
_BY_BROKER: dict[str, Command] = {
    "worker-graph": (*_WORKER, "--hostname=graph@%h", "--queues=graph", "--concurrency=3"),
    "worker-short": (*_WORKER, "--hostname=short@%h", "--queues=short", "--concurrency=1"),
    "worker-sync": (*_WORKER, "--hostname=sync@%h", "--queues=sync", "--concurrency=2"),
    "worker-long": (*_WORKER, "--hostname=long@%h", "--queues=long", "--concurrency=1"),
    "beat": (*_CELERY, "beat", "--loglevel=WARNING"),
}
"""The graph never waits behind jobs, nor its three tasks for each other, nor a short job
or a poll for a long one."""
_BEHIND_ANSWERS = 10
"""Added to the niceness: where the cores don't suffice for all, senders get their receipts first."""


def members(config: Config) -> dict[str, Command]:
    """Name → command line of each process."""
    if not config.broker:
        return {"web": (sys.executable, *_WEB), "worker": (sys.executable, *_EMBEDDED)}
    behind = {name: (*_later(), sys.executable, *command) for name, command in _BY_BROKER.items()}
    return {"web": (sys.executable, *_WEB), **behind}


def _later() -> Command:
    """What to put before a command; nothing where there is no `nice`. The embedded worker does it itself."""
    nice = shutil.which("nice")
    return (nice, "-n", str(_BEHIND_ANSWERS)) if nice else ()
