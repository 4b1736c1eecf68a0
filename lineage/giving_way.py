"""What nobody waits for lets others have the processor between two pieces of its work.

A higher niceness is less of a share, and none sooner: whoever has a processor keeps it for some milliseconds,
while a request that has come waits. Asked after each piece, those who wait go first; where nobody does it
costs a microsecond. It is not asked in transactions that an append waits for, which would only end later.
Source: sched_yield(2); Linux, Documentation/scheduler/sched-eevdf.rst.
"""

from __future__ import annotations

import os


def give_way() -> None:
    """Let whoever waits for this processor have it first."""
    os.sched_yield()
