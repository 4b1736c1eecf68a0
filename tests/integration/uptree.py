"""`lineage up` as a process tree: started, looked into, stopped, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from lineage.processes import alive, descendants
from tests import forks
from tests.server import CHECKOUT, free_port, migrated

PATIENCE_SECONDS = 120.0
"""For a machine that does other work too; everything here takes a few seconds."""


def until(reached: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait for `reached` to give something true, and give it back."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := reached():
            return found
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")


def children(parent: int) -> dict[int, str]:
    """Process id → command line of every living descendant."""
    found: dict[int, str] = {}
    for child in descendants(parent):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            found[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def settings(home: Path) -> dict[str, str]:
    """An environment without settings but the home."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("LINEAGE_", "DJANGO_"))
    }
    return clean | {"LINEAGE_HOME": str(home), "PYTHONPATH": str(CHECKOUT)}


@dataclass
class Up:
    """A running `lineage up --json`, with `--no-demo` unless told otherwise; `printed` is its one result."""

    process: subprocess.Popen[str]
    home: Path
    printed: dict[str, str]

    @property
    def url(self) -> str:
        return self.printed["url"]

    def get(self, path: str) -> int:
        """The status of an answer, 0 where there is none."""
        try:
            return int(urllib3.request("GET", self.url + path, retries=False, redirect=False).status)
        except urllib3.exceptions.HTTPError:
            return 0

    def child(self, ending: str) -> int:
        """The process id of the direct child whose command line ends so, once there is one."""

        def find() -> int:
            here = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            known = children(self.process.pid)
            return next((int(pid) for pid in here if known.get(int(pid), "").rstrip().endswith(ending)), 0)

        return int(until(find, f"a child {ending}"))

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def up(home: Path, port: int, *options: str, tables: bool = False) -> Iterator[Up]:
    """Start it, and end it and whatever it left at the end of the block.

    `tables`: its database has tables already, which a first start takes seconds to make.
    """
    if tables:
        migrated(home, {})
    command = [
        sys.executable,
        "-m",
        "lineage.cli",
        "up",
        "--no-demo",
        "--json",
        "--port",
        str(port),
        *options,
    ]
    with (home.parent / "stderr").open("a") as errors:
        process = subprocess.Popen(
            command, env=settings(home), cwd=home.parent, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    family: Sequence[int] = ()
    try:
        printed = _first_json(process)
        assert printed, (home.parent / "stderr").read_text()
        yield Up(process, home, printed)
    finally:
        if process.poll() is None:
            family = list(children(process.pid))
            process.terminate()
            assert process.wait(PATIENCE_SECONDS) == 0
        process.stdout.close()
        assert not [pid for pid in family if alive(pid)]


class Tree:
    """One installation, whose process tree is started when a test needs it and shared until one ends it."""

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        self.home, self.port = folder / "home", free_port()
        self._ends = ends
        self._up: Up | None = None

    def running(self, *options: str) -> Up:
        if self._up is None or self._up.process.poll() is not None:
            self._ends.close()
            self._up = self._ends.enter_context(up(self.home, self.port, *options))
        return self._up


def _first_json(process: subprocess.Popen[str]) -> dict[str, str]:
    """The object that it prints once it serves; empty where it ends before."""
    text = ""
    assert process.stdout is not None
    for line in process.stdout:
        text += line
        if line == "}\n":
            return dict(json.loads(text))
    return {}


def lineage(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end; `variables` are added to its environment."""
    return forks.run(["-m", "lineage.cli", *arguments], env=settings(home) | variables, cwd=Path.cwd())
