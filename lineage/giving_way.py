"""A worker that nobody waits for lets others have the processor between two pieces of its work.

A higher niceness is less of a share, and none sooner: whoever has a processor keeps it for some milliseconds,
while a request that has come waits. Asked after each piece, those who wait go first; where nobody does it
costs a microsecond. It is not asked in transactions that an append waits for, which would only end later.

Only the embedded worker on SQLite does it, which does all of its work itself: where a database's processes do
half of it, it ended later and held up as many.
Source: sched_yield(2); Linux, Documentation/scheduler/sched-eevdf.rst.
"""

from __future__ import annotations

import os

_started = False


def start() -> None:
    """From now on this process gives way."""
    global _started  # noqa: PLW0603
    _started = True


def give_way() -> None:
    """Let whoever waits for this processor have it first, in a process that does so."""
    if _started:
        os.sched_yield()
