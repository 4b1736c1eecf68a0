"""A worker that nobody waits for lets others have the processor between two pieces of its work.

A higher niceness is less of a share, and none sooner: whoever has a processor keeps it for some milliseconds,
while a request that has come waits. Asked after each piece, those who wait go first. It is not asked in
transactions that an append waits for, which would only end later.

On SQLite the worker does all of its work itself, and yields: where nobody waits that costs a microsecond. On
PostgreSQL a process of the database's does half of it, which gives way to nobody. There the worker rests, so
that a batch is no longer ten milliseconds of one processor; it does not where more waits than a batch.
Source: sched_yield(2); Linux, Documentation/scheduler/sched-eevdf.rst.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

WORK_SECONDS = 0.001
"""Of work, the database's included, before a rest."""
REST_SECONDS = 0.000_5


@dataclass(slots=True)
class _Way:
    """How this process gives way, if it does. `worked_from`: monotonic seconds."""

    started: bool = False
    rests: bool = False
    hurries: bool = False
    worked_from: float = 0.0


_way = _Way()


def start(rests: bool) -> None:
    """From now on this process gives way: it `rests`, or yields."""
    _way.started, _way.rests = True, rests


def hurry(behind: bool) -> None:
    """Rest no more while what is to be done is `behind`; a process that yields goes on to."""
    _way.hurries = behind


def give_way() -> None:
    """Let whoever waits for this processor have it first, in a process that does so."""
    if not _way.started:
        return
    if not _way.rests:
        os.sched_yield()
    elif not _way.hurries and time.monotonic() - _way.worked_from >= WORK_SECONDS:
        time.sleep(REST_SECONDS)
        _way.worked_from = time.monotonic()
