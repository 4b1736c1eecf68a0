"""Whether this worker is asked to end: known in all of its processes, and asked in the middle of a job.

Celery's parent process gets the signal, its children do the work. They share one byte of memory, made before
they fork. A job that asks often goes back into the line within moments, whatever its length.
"""

from __future__ import annotations

import mmap
import os
import signal
import socket
from types import FrameType

_asked = mmap.mmap(-1, 1)


def ask(**_: object) -> None:
    """Have the jobs in hand given back. Celery's signal `worker_shutting_down` calls it in the parent."""
    _asked[0] = 1


def asked() -> bool:
    return _asked[0] != 0


def in_child(**_: object) -> None:
    """A signal to the whole process group reaches children too: the first asks, the second ends."""

    def stop(number: int, frame: FrameType | None) -> None:
        ask()
        signal.signal(number, signal.SIG_DFL)

    signal.signal(signal.SIGTERM, stop)


def worker_name() -> str:
    """Who holds a lease, for people: machine and process."""
    return f"{socket.gethostname()}:{os.getpid()}"
