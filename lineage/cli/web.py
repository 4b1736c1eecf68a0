"""The web process of `lineage up`: granian with the WSGI application. Run as `python -m lineage.cli.web`."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from lineage import lean, loading, logs, memory, meter_folder
from lineage.cli.addresses import numeric
from lineage.cli.exits import EXIT_USAGE, sentence
from lineage.config import current
from lineage.errors import ConfigurationError
from lineage.processes import die_with_parent
from lineage.services import wake

BLOCKING_THREADS = 32
"""Requests worked on or waiting at once: one with `?wait=` holds its thread for up to 10 s."""
SWITCH_SECONDS = 0.002
_IDLE_SECONDS = 600
_KILL_SECONDS = 3


def serve() -> None:
    """Serve at the configured host and port until SIGTERM."""
    config = current()
    if config.secret_key_made and config.web_workers > 1:
        raise ConfigurationError(
            "LINEAGE_SECRET_KEY: several web processes must have the same one, and none is set.",
            hint="Set LINEAGE_SECRET_KEY_FILE to a file of 50 random characters; `lineage up` makes one.",
        )
    meter_folder.make(config.home, config.port)
    memory.before_granian()
    with loading.unsearched():
        from granian import Granian
        from granian.constants import Interfaces
        from granian.log import LogLevels

    server = Granian(
        "lineage.wsgi:application",
        address=numeric(config.host),
        port=config.port,
        interface=Interfaces.WSGI,
        workers=config.web_workers,
        # One alone is started again with the whole process, whose supervisor knows how long to wait.
        respawn_failed_workers=config.web_workers > 1,
        blocking_threads=BLOCKING_THREADS,
        blocking_threads_idle_timeout=_IDLE_SECONDS,
        websockets=False,
        log_level=LogLevels.error,
        log_dictconfig=logs.settings(config.log_format, config.log_level),
        workers_kill_timeout=_KILL_SECONDS,
    )
    pipe = wake.Pipe() if config.broker else None
    server.serve(target_loader=partial(_load, pipe), wrap_loader=False)


def _load(pipe: wake.Pipe | None) -> Callable[..., Any]:
    """The application, in granian's worker process, which must not outlive granian and hold the port."""
    die_with_parent(signal.SIGKILL)
    memory.be_thrifty()
    application = load()
    from lineage import meters, tracing, wsgi

    tracing.start("lineage-web")
    meters.sample_for_ever()
    _write_beside()
    memory.give_back_for_ever()
    # A thread that comes back from the database waits for its turn behind threads that compute. With
    # Python's 5 ms the one that commits for all the others waits longer than the commit takes.
    sys.setswitchinterval(SWITCH_SECONDS)
    if pipe is not None:
        pipe.use()
    logs.be_brief()
    wsgi.be_brief()
    memory.collect_seldom()
    return application


def load() -> Callable[..., Any]:
    """The application, with what nearly every process is asked for: the first request need not load it."""
    with loading.unsearched(), lean.later(lean.LATER):
        from lineage import meters, tracing, wsgi  # noqa: F401, I001  the frameworks first
        from django.urls import get_resolver

        _ = get_resolver().url_patterns  # and with them all views
        if current().broker:
            with lean.without(wake.UNASKED):
                import redis  # noqa: F401  which counts who asks how often
    return wsgi.application


def _write_beside() -> None:
    # Whose tables are there once the application is.
    from lineage.services import afterwards, beforehand, write_ahead

    beforehand.look_for_ever()
    afterwards.write_for_ever()
    write_ahead.copy_for_ever()


if __name__ == "__main__":
    try:
        serve()
    except ConfigurationError as wrong:
        sys.stderr.write(f"lineage: {sentence(wrong)}\n")
        sys.exit(EXIT_USAGE)
