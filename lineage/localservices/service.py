"""The life of one local service: started, waited for, stopped, killed, started again on the same data.

Owns: the folder's `port`, `lock` and `<name>.log`; that no process outlives its parent or its `kill`. Does
not own: what is started and when it is ready, which each service's module says.

The lock is held by the service's processes themselves: they inherit its open file, so it is free exactly when
the last of them has ended, whoever started or killed them.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from lineage import processes
from lineage.errors import ConflictError, UnavailableError

LOOPBACK = "127.0.0.1"
READY_SECONDS = 240.0
"""How long a service may take to its first answer, on a machine that does other work too."""
STOP_SECONDS = 60.0
"""How long it may take to end by itself before it is killed."""
CALL_SECONDS = 5.0
"""For one call to a service that is being started."""
PREDECESSOR_SECONDS = 30.0
"""What the processes of a killed predecessor may need to end."""
PORTS = range(20_000, 32_000)
"""Below Linux's ephemeral ports, one of which any outgoing connection could take between two starts."""
_TICK_SECONDS = 0.05
_LOG_END_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start. `user`, `group`: ids to change to, None: as we are. `files`: inherited descriptors;
    `environment`: beside ours."""

    command: Sequence[str]
    user: int | None = None
    group: int | None = None
    files: tuple[int, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class LocalService(ABC):
    """One service in one folder. It ends with the thread that started it."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory.absolute()
        self._wanted = port
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """Where and as whom to connect, with the password: the value of the matching `LINEAGE_…_URL`."""

    @property
    @abstractmethod
    def _password_file(self) -> Path:
        """Where the password of the URL is kept."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the first start needs. Raises UnavailableError where a program is missing."""

    @abstractmethod
    @contextmanager
    def _launch(self) -> Iterator[Launch]:
        """What to start; open descriptors are closed at the end of the block."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it serves; what only a running service can be told is told here."""

    @property
    def pid(self) -> int:
        """The process id. Raises UnavailableError where it does not run."""
        if self._process is None:
            raise UnavailableError(f"{self.name} has not been started.")
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it is ready. Does nothing where it runs.

        Raises:
            ConflictError: another process serves this folder, or listens on the port.
            UnavailableError: a program is missing, or it ended or stayed silent, with the log's end.
        """
        self.begin()
        try:
            self.await_ready()
        except BaseException:
            self.kill()
            raise

    def begin(self) -> None:
        """The first half of `start`: the process is there, and the URL known; it need not answer yet."""
        if self.running:
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = self._locked()
        try:
            self._prepare()
            self._choose_port()
            with self._launch() as launch:
                self._spawn(launch, lock)
        finally:
            os.close(lock)

    def await_ready(self) -> None:
        """The second half of `start`: returns when it answers."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if not self.running:
                raise UnavailableError(f"{self.name} ended at its start: {self._log_end()}")
            if time.monotonic() > deadline:
                raise UnavailableError(
                    f"{self.name} does not answer after {READY_SECONDS:.0f} s: {self._log_end()}"
                )
            time.sleep(_TICK_SECONDS)
        if not self.served_before:
            write_private(self.directory / "served", "")

    @property
    def answers(self) -> bool:
        """Whether it serves right now; may take `CALL_SECONDS`."""
        return self.running and self._answers()

    @property
    def served_before(self) -> bool:
        """Whether it has been ready once, so that its URL is good as soon as it is up."""
        return (self.directory / "served").exists()

    def gave_out(self, url: str) -> bool:
        """Whether `url` is what this folder's service has given out, now or at another port."""
        known = self._password_file.exists()
        return known and url.rpartition("@")[0] == self.url.rpartition("@")[0]

    def ask_to_stop(self) -> None:
        """The first half of `stop`: does not wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(self.stop_signal)

    def stop(self) -> None:
        """End it politely, and after `STOP_SECONDS` not. Returns when none of its processes is left."""
        self.ask_to_stop()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):  # the kill below is the answer
                self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it and all of its processes by SIGKILL; returns when none is left."""
        if self._process is None:
            return
        if self._process.poll() is None:  # else its id may be another's by now
            family = [self._process.pid, *processes.descendants(self._process.pid)]
            processes.signal_all(family, signal.SIGKILL)
            processes.signal_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
            _await_end(family)
        self._process = None
        os.close(self._locked())  # free when the last one has ended, also of those that a crash left

    def _locked(self) -> int:
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    os.close(descriptor)
                    raise ConflictError(
                        f"Another {self.name} serves {self.directory}.",
                        hint="Stop it, or use another folder.",
                    ) from error
                time.sleep(_TICK_SECONDS)
            else:
                return descriptor

    def _choose_port(self) -> None:
        remembered = self.directory / "port"
        told = self.port or self._wanted or 0  # somebody knows it already
        if told and not _free(told):
            raise ConflictError(f"Something else listens on port {told}, which is {self.name}'s.")
        last = int(remembered.read_text()) if remembered.exists() else 0
        self.port = told or (last if last and _free(last) else free_port())
        write_private(remembered, f"{self.port}\n")

    def _spawn(self, launch: Launch, lock: int) -> None:
        with open(self.log_path, "ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 a program found by this package
                list(launch.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**_environment(), **launch.environment},
                cwd="/",
                process_group=0,
                user=launch.user,
                group=launch.group,
                extra_groups=None if launch.user is None else [],
                umask=0o077,
                pass_fds=(lock, *launch.files),
                preexec_fn=processes.end_with(os.getpid(), self.stop_signal),  # noqa: PLW1509 short, no locks
            )

    @property
    def log_path(self) -> Path:
        return self.directory / f"{self.name}.log"

    def _log_end(self) -> str:
        return self.log_path.read_bytes()[-_LOG_END_BYTES:].decode("utf-8", "replace").strip()


def _environment() -> dict[str, str]:
    """Ours without Lineage's settings, some of which are secrets that are no business of a service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LINEAGE_")}


def _await_end(killed: list[int]) -> None:
    while any(map(processes.alive, killed)):
        time.sleep(_TICK_SECONDS)


def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    while not _free(port := secrets.choice(PORTS)):
        pass
    return port


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the services do
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def write_private(path: Path, text: str) -> None:
    """Replace a file whole, 0600: a crash leaves the old one or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def secret(path: Path) -> str:
    """The password in this file, made where it is not there yet."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text(encoding="utf-8")
