"""The process that `tests.forks` asks for others, each a fork of it that has imported the platform already.

Called as `python -m tests.fork_server DESCRIPTOR`. A message on that socket is one request: JSON, with
descriptors of a status pipe, of what is to be standard output and error, and of what else stays open. To the
status pipe the new process's id is written, and its exit code once it has ended; nobody else gets that id
until whoever asked has read the code and closed the pipe. When the socket's other end is closed, whatever
still runs is killed.

Owns: that a new process finds nothing that this one read from its own environment. It has one thread.
"""

from __future__ import annotations

import array
import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sqlite3
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

NOWHERE = "/proc/no-such-home"
"""The home that all is imported with: what would use it later fails."""
MODULES = (
    *("lineage.cli.main", "lineage.cli.server", "lineage.services.bootstrap", "lineage.services.job_kinds"),
    *("lineage.services.migrations", "workers.embedded", "django.db.models.sql.compiler"),
    *("psycopg", "psycopg_pool", "redis", "django.core.management.commands.migrate", "nacl.bindings"),
    *("tests.factories", "tests.replay.rows"),
)
"""What most of the processes import, beside every command of `lineage`."""
EACH_BY_ITSELF = ("granian", "mlflow", "prometheus_client")
"""What reads the environment while it is imported."""
MESSAGE_BYTES = 200_000
DESCRIPTORS = 8
"""With one message, at the most."""


def load() -> None:
    """Import the platform, on no database and in no home."""
    os.environ["LINEAGE_HOME"] = NOWHERE
    os.environ["DJANGO_SETTINGS_MODULE"] = "lineage.settings"
    import django

    django.setup()
    from django.db.migrations.loader import MigrationLoader

    from lineage.cli import main

    import_all((*MODULES, *main.COMMANDS.values()))
    MigrationLoader(None)  # imports every migration, as each command does that looks for one to be applied


def import_all(names: Iterable[str]) -> None:
    for name in names:
        importlib.import_module(name)
        assert sys.modules.keys().isdisjoint(EACH_BY_ITSELF), name


def forget() -> None:
    """Let the settings be read again, from the environment as it is now."""
    from django.conf import settings
    from django.core.cache import caches
    from django.db import DEFAULT_DB_ALIAS, connections
    from django.utils.functional import empty

    from lineage import config

    config.current.cache_clear()
    settings._wrapped = empty
    del connections[DEFAULT_DB_ALIAS]  # which was asked how long a table's name may be, and never opened
    for handler in (connections, caches):
        handler._settings = None  # type: ignore[union-attr]  # not in the stubs
        vars(handler).pop("settings", None)
    del sys.modules["lineage.settings"]


class Server:
    """Takes requests until its socket ends. In each new process `serve` returns what it was asked for."""

    def __init__(self, control: int) -> None:
        self._control = socket.socket(fileno=control)
        self._running: dict[int, tuple[int, int]] = {}
        """By pidfd: process id and status pipe."""
        self._ended: dict[int, int] = {}
        """By status pipe: the id of a process that has ended."""

    def serve(self) -> dict[str, Any] | None:
        while True:
            poll = select.poll()
            for descriptor in (self._control.fileno(), *self._running):
                poll.register(descriptor, select.POLLIN)
            for descriptor in self._ended:
                poll.register(descriptor, 0)  # its other end is closed
            for descriptor, _ in poll.poll():
                if descriptor in self._running:
                    self._tell(descriptor)
                elif descriptor in self._ended:
                    os.waitpid(self._ended.pop(descriptor), 0)
                    os.close(descriptor)
                elif asked := self._ask():
                    return asked
                elif self._control.fileno() < 0:
                    return None

    def _ask(self) -> dict[str, Any] | None:
        """Take a request. In the new process: what was asked for; here nothing."""
        room = socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)
        message, ancillary, _, _ = self._control.recvmsg(MESSAGE_BYTES, room)
        if not message:
            self._end()
            return None
        status, *outputs = array.array("i", ancillary[0][2])
        asked = json.loads(message)
        import_all(asked["modules"])
        child = os.fork()
        if not child:
            return self._become(asked, outputs)
        self._running[os.pidfd_open(child)] = child, status
        os.write(status, f"{child}\n".encode())
        for descriptor in outputs:
            os.close(descriptor)
        return None

    def _become(self, asked: dict[str, Any], outputs: list[int]) -> dict[str, Any]:
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, descriptor in enumerate((nothing, *outputs)):
            os.dup2(descriptor, number)
        self._control.detach()
        os.closerange(1 + len(outputs), os.sysconf("SC_OPEN_MAX"))
        if asked["group"]:
            os.setpgid(0, 0)
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        return asked

    def _tell(self, pidfd: int) -> None:
        child, status = self._running.pop(pidfd)
        os.close(pidfd)
        ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
        with suppress(BrokenPipeError):  # where nobody wants to know
            os.write(status, f"{code}\n".encode())
        self._ended[status] = child

    def _end(self) -> None:
        for child, _ in self._running.values():
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        self._control.close()


def go_on(arguments: list[str]) -> None:
    """As `python arguments…`, with `-m`, `-c` or a script's path."""
    first, *rest = arguments
    sys.path[0] = {"-m": os.getcwd(), "-c": ""}.get(first, os.path.dirname(first))
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    gc.enable()
    if first == "-m":
        module, *sys.argv[1:] = rest
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    if first == "-c":
        source, *sys.argv[1:] = rest
        sys.argv[0], name = first, "<string>"
    else:
        sys.argv, name, main.__file__ = arguments, first, first
        with open(first, "rb") as script:
            source = script.read().decode()
    exec(compile(source, name, "exec"), vars(main))


def ended(arguments: list[str]) -> int:
    """Go on; the exit code, once all threads have ended and what is to be done at exit is done."""
    code: object = None
    try:
        go_on(arguments)
    except SystemExit as left:
        code = left.code
    except BaseException:  # whatever it is, the interpreter would say it and end
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]  # as the interpreter does
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    for made in gc.get_objects():
        if issubclass(type(made), sqlite3.Connection):  # lazy objects would be set up by `isinstance`
            made.close()  # the last of a file copies its write-ahead log
    sys.stdout.flush()
    sys.stderr.flush()
    return code or 0


def main(load: Callable[[], None], forget: Callable[[], None]) -> None:
    """Take requests once all is loaded; in a new process what was read from the environment is forgotten."""
    load()
    gc.collect()
    gc.disable()
    gc.freeze()  # a collection would write into all that the processes have in common
    if asked := Server(int(sys.argv[1])).serve():
        forget()
        # To take apart what it has in common with the others would take longer than most of them do.
        os._exit(ended(asked["arguments"]))


if __name__ == "__main__":
    main(load, forget)
