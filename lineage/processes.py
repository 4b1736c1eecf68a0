"""What Linux offers to end a tree of processes for certain.

Owns: death with the parent (`PR_SET_PDEATHSIG`), process groups, who descends from whom. Does not own: when
to start or end anything. Elsewhere than on Linux a parent that is killed leaves its children.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with_parent(number: signal.Signals) -> None:
    """Have the kernel send this process `number` when the thread that started it ends. Linux only.

    Source: prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def ended(process: subprocess.Popen[bytes], seconds: float) -> str:
    """How a process that is at its end ended: "by signal 9", "with exit code 1". Killed after `seconds`."""
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"


def end_with(parent: int, number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """What a child does between fork and exec: end by `number` with `parent`, or now if that has happened.

    A change of user clears the kernel's promise; `subprocess` changes it before it calls this.
    """
    if sys.platform == "linux":
        _libc()  # loaded before the fork, where loading is safe

    def prepare() -> None:
        die_with_parent(number)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def signal_group(leader: int, number: signal.Signals) -> None:
    """Send `number` to the process group of `leader`; nothing where all of it has ended."""
    with suppress(ProcessLookupError):
        os.killpg(leader, number)


def signal_all(processes: list[int], number: signal.Signals) -> None:
    """Send `number` to each; nothing to those that have ended."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)


def alive(process: int) -> bool:
    """Whether it runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def descendants(process: int) -> list[int]:
    """The ids of all living processes below this one, also of those in other groups and sessions."""
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{process}/task").iterdir():
            for child in map(int, (thread / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found
