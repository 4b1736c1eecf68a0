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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from celery.beat import Service

_asked = mmap.mmap(-1, 1)
_before: Any = None


def ask(**_: object) -> None:
    """Have the jobs in hand given back. Celery's signal `worker_shutting_down` calls it in the parent."""
    _asked[0] = 1


def asked() -> bool:
    return _asked[0] != 0


def _on_signal(number: int, frame: FrameType | None) -> None:
    ask()
    signal.signal(number, _before or signal.SIG_DFL)


def in_child(**_: object) -> None:
    """A signal to the whole process group reaches children too: the first asks, the second ends.

    Installed before each task, because the pool sets its own handler, which ends the child at once, after
    everything that Celery lets one do at a child's start.
    """
    global _before  # noqa: PLW0603
    if signal.getsignal(signal.SIGTERM) is not _on_signal and not asked():
        _before = signal.signal(signal.SIGTERM, _on_signal)


def end_beat(sender: Service, **_: object) -> None:
    """Have beat end for certain. Celery's own handler raises SystemExit and no more, which what is being done
    may swallow, as Redis's client does whose connection is lost just then; beat ends with that look then.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        sender.stop()
        raise SystemExit

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def worker_name() -> str:
    """Who holds a lease, for people: machine and process."""
    return f"{socket.gethostname()}:{os.getpid()}"
