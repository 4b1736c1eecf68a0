"""Child processes that live exactly as long as `lineage up`: started, watched, started again, stopped.

Owns: process groups, backoff, that no orphan is left. Does not own: what the children do. Where the parent
is killed without a chance to clean up, Linux ends the children (`lineage.processes`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lineage import processes

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
STEADY_SECONDS = 30.0
"""A child that lived this long is started again without waiting."""
STOP_SECONDS = 15.0
"""How long children may take to end by themselves."""

Say = Callable[[str], None]


@dataclass(slots=True)
class Child:
    """One process to keep alive, in a process group of its own. `once`: it ends by itself and stays ended."""

    name: str
    command: Sequence[str]
    once: bool = False
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.0
    due: float = 0.0
    code: int | None = None

    @property
    def ending(self) -> str:
        """How it last ended, in words."""
        if self.code is None:
            return "running"
        return f"exit code {self.code}" if self.code >= 0 else f"killed by {signal.Signals(-self.code).name}"


class Family:
    """The children of this process. Start them from its main thread: they end with the starting thread."""

    def __init__(self, environment: Mapping[str, str], say: Say) -> None:
        self._environment = dict(environment)
        self._say = say
        self._children: list[Child] = []

    def start(self, name: str, command: Sequence[str], *, once: bool = False) -> Child:
        """Start one more child."""
        child = Child(name, command, once)
        self._children.append(child)
        self._spawn(child)
        return child

    def tend(self) -> list[Child]:
        """Start again what has ended, when its pause is over. Gives those that ended since the last call."""
        ended = []
        for child in list(self._children):
            if child.process is not None and child.process.poll() is not None:
                ended.append(child)
                self._bury(child)
            if child.process is None and not child.once and time.monotonic() >= child.due:
                self._spawn(child)
        return ended

    def stop(self) -> None:
        """End all children, politely for `STOP_SECONDS`, then not. Returns when none is left.

        Who has children of its own ends them as it knows how: only the rest gets a signal from here.
        """
        left = [child for child in self._children if child.process is not None]
        for child in left:
            assert child.process is not None
            child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in left:
            assert child.process is not None
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{child.name} did not stop in {STOP_SECONDS:.0f} s; killing it")
            _kill_group(child)
            child.process.wait()
        self._children.clear()

    def _spawn(self, child: Child) -> None:
        child.process = subprocess.Popen(  # noqa: S603 the command is this program's own
            list(child.command),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # results are this command's alone
            env=self._environment,
            process_group=0,
            preexec_fn=processes.end_with(os.getpid()),  # noqa: PLW1509 this process has one thread
        )
        child.started = time.monotonic()

    def _bury(self, child: Child) -> None:
        assert child.process is not None
        child.code = child.process.returncode
        _kill_group(child)
        child.process = None
        if child.once:
            return
        lived = time.monotonic() - child.started
        child.pause = 0.0 if lived > STEADY_SECONDS else min(LONGEST_PAUSE_SECONDS, child.pause * 2)
        child.pause = max(child.pause, FIRST_PAUSE_SECONDS)
        child.due = time.monotonic() + child.pause
        self._say(f"{child.name} ended ({child.ending}); starting it again in {child.pause:g} s")


def _kill_group(child: Child) -> None:
    """End whatever it left behind, which could hold the port or a lock."""
    assert child.process is not None
    processes.signal_group(child.process.pid, signal.SIGKILL)
