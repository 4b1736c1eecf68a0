"""The MLflow server of the example, which lives as long as `lineage up` does. Nothing waits for it.

Owns: its folder in the home, that it is started again, that a missing or broken one is said and harms nothing
else. Does not own: what the example does there (`lineage.example.tracking`).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path

from lineage import processes
from lineage.errors import LineageError
from lineage.localservices.mlflow import Mlflow

FOLDER = "example/mlflow"
EXAMPLE_FOLDERS = ("example/store", "example/serving")
"""Where the example keeps what it makes, and serves it from."""
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
STEADY_SECONDS = 60.0
"""One that ran this long is started again after the first pause."""

Say = Callable[[str], None]


class ExampleServer:
    """One MLflow server in `home`, at the port that it had before unless something else has taken that."""

    def __init__(self, home: Path, say: Say) -> None:
        self._service = Mlflow(home / FOLDER)
        self._say = say
        self._pause = FIRST_PAUSE_SECONDS
        self._started = self._due = 0.0
        self._leader = 0
        remembered = self._service.directory / "port"
        self._before = int(remembered.read_text()) if remembered.exists() else 0

    @property
    def url(self) -> str:
        """Its address, "" where it never could be started. It need not answer yet, nor run just now: it is
        started again at the same one."""
        return self._service.url if self._service.port else ""

    @property
    def process(self) -> int:
        """The server's process id, 0 where it does not run."""
        return self._service.pid if self._service.running else 0

    @property
    def moved(self) -> bool:
        """Whether it runs at another port than in an earlier life."""
        return self._service.running and self._before not in {0, self._service.port}

    def begin(self) -> None:
        """Start it without waiting until it answers; where that fails `tend` tries again."""
        self._started = time.monotonic()
        self._end_rest()
        try:
            self._service.begin()
            self._leader = self._service.pid
        except (LineageError, OSError) as error:
            self._say(f"Example: no MLflow server ({error}); everything else goes on without it")
        self._due = time.monotonic() + self._pause
        self._pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2)

    def tend(self) -> None:
        """Start it again where it does not run, after a pause that grows."""
        now = time.monotonic()
        if self._service.running or now < self._due:
            return
        if now - self._started > STEADY_SECONDS:
            self._pause = FIRST_PAUSE_SECONDS
        self._say(f"Example: starting its MLflow server again (its log: {self._service.log_path})")
        self.begin()

    def ask_to_stop(self) -> None:
        """The first half of `stop`: does not wait."""
        self._service.ask_to_stop()

    def stop(self) -> None:
        """End it; returns when none of its processes is left."""
        self._end_rest()
        self._service.stop()

    def _end_rest(self) -> None:
        """End what a server that has ended by itself left behind, which would hold folder and port."""
        if self._leader and not self._service.running:
            processes.signal_group(self._leader, signal.SIGKILL)
            self._leader = 0
