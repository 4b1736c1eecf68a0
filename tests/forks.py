"""Processes of the platform that tests start by the dozen, each a fork of one that has imported it.

To import it takes a process of its own half a second or more of computing, which is most of what a short
command does. `start` and `run` are as `subprocess` has them, for `python -m …` and `python -c …`: real
processes, with ids, environment, folder and output of their own, that are killed like others. They differ
where it matters how a process begins: in its command line as others see it, and in what it has to import.
Tests of that use `subprocess`, and under SOAK all do.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

SOAK = "SOAK" in os.environ
CHECKOUT = Path(__file__).resolve().parent.parent
PLATFORM, MLFLOW = "tests.fork_server", "tests.mlflow_forks"
"""Programs: what a process is a fork of."""
WEB = (
    *("rest_framework.views", "drf_spectacular.views", "whitenoise.middleware", "csp.middleware"),
    *("allauth.account.views", "allauth.mfa.webauthn.forms", "lineage.web.node_pages"),
)
"""Most of what a web process imports and others do not."""
END_SECONDS = 60.0


class Process:
    """A process that was started, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, pid: int, status: socket.socket, outputs: tuple[IO[bytes], ...]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._outputs = outputs
        self._said: list[str] = []

    def poll(self) -> int | None:
        return self._collect(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, a signal's number negative. Raises: subprocess.TimeoutExpired."""
        code = self._collect(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Output and errors, once it has ended, where they go to no file of the caller's."""
        self.wait(timeout)
        out, err = self._said
        return out, err

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    def _collect(self, timeout: float | None) -> int | None:
        if self.returncode is None and _readable(self._status, timeout):
            self.returncode = int(_line(self._status))
            self._status.close()  # now its id may be another's
            for file in self._outputs:
                file.seek(0)
                self._said.append(file.read().decode())
                file.close()
        return self.returncode


def start(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    output: IO[bytes] | None = None,
    group: bool = False,
    modules: Sequence[str] = (),
    files: Sequence[int] = (),
    program: str = PLATFORM,
) -> Process | subprocess.Popen[str]:
    """Start `python arguments…`. `output`: a file for both outputs, else `communicate` gives them.

    `group`: it leads a process group of its own. `modules`: what it will import and others do not. `files`:
    descriptors that stay open in it, by another number.
    """
    if SOAK:
        end: Any = output or subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=end,
            stderr=end,
            text=True,
            process_group=0 if group else None,
            pass_fds=files,
        )
    kept = () if output else (_file(), _file())
    outputs = (output, output) if output else kept
    asked = {
        "arguments": list(arguments),
        "environment": dict(env),
        "folder": str(cwd),
        "group": group,
        "modules": list(modules),
    }
    ours, theirs = socket.socketpair()
    with theirs:
        descriptors = [theirs.fileno(), *(file.fileno() for file in outputs), *files]
        socket.send_fds(_server(program), [json.dumps(asked).encode()], descriptors)
    return Process(int(_line(ours)), ours, kept)


def run(
    arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path, program: str = PLATFORM
) -> subprocess.CompletedProcess[str]:
    """`start`, and wait for its end."""
    process = start(arguments, env=env, cwd=cwd, program=program)
    out, err = process.communicate()
    assert process.returncode is not None
    return subprocess.CompletedProcess(list(arguments), process.returncode, out, err)


@cache
def _server(program: str) -> socket.socket:
    """The control socket of the process that is forked, started at the first use."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}
        process = subprocess.Popen(
            [sys.executable, "-m", program, str(theirs.fileno())],
            env=environment,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            process_group=0,  # who interrupts the tests lets them end what they started
        )
    atexit.register(process.wait, END_SECONDS)
    atexit.register(ours.close)  # runs first
    return ours


def _file() -> IO[bytes]:
    """Without a name, gone once it is closed."""
    return tempfile.TemporaryFile()


def _readable(status: socket.socket, timeout: float | None) -> bool:
    return bool(select.select([status], [], [], timeout)[0])


def _line(status: socket.socket) -> str:
    """The next line. Raises: AssertionError where the server has ended instead."""
    line = b""
    while not line.endswith(b"\n"):
        piece = status.recv(1)
        assert piece, "the process that is forked has ended"
        line += piece
    return line.decode()
