"""Follow the log until it is level: the loops behind every wake-up.

Owns: one follower at a time, that no wake-up is lost to that, and that a stream of entries is taken up in
batches. Does not own: the steps (`project`, `project_neo4j`, `publish`), which compare and set, so that two
followers do no harm either; what a burst is (`bursts`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lineage.giving_way import hurry
from lineage.services import archive, log_head
from lineage.services import project as sql_graph
from lineage.services import publish as checkpoints
from lineage.services.alone import alone
from lineage.services.bursts import Burst

BATCH = 500
"""Entries a transaction."""
FIRST = 100
"""Of the first transaction after a wake-up: it may be the first of a burst, which is let pass."""
STREAM = 3
"""So many entries since the last look, and more are coming: they are waited for, because a transaction costs
more than an entry. Whoever sends one after the other and waits for each is followed at once."""
SQL_PAUSE_SECONDS = 0.05
NEO4J_PAUSE_SECONDS = 0.2
"""A transaction there is some sixteen questions, whether for one entry or for two hundred."""
STAY_SECONDS = 0.6
"""How long a woken worker looks for more after a stream's last entry: meanwhile nobody need wake one. Longer
than senders pause between two wake-ups of a stream (`wake.STREAM_PAUSE_SECONDS`)."""
INDEX_SECONDS = 0.5
"""Between two steps of the index of envelopes, where there is one, while the graph has entries to follow. Who
searches it makes up what is missing."""

Step = Callable[[int], int]
"""Follows so many entries at most; returns how many, 0 where there are none left."""


def _nothing() -> None:
    pass


def project(stay: float = 0.0, tick: Callable[[], None] = _nothing) -> int:
    """Bring the SQL graph level, and the index of envelopes; returns how many entries were projected.

    `stay`: for how many seconds to look for more after a stream's last entry; 0 where somebody waits for it,
    who waits for no entry that comes meanwhile. `tick` is called after each batch; what it raises ends this.
    """
    both = _GraphAndIndex()
    _until_level("project", both.watermark, both.step, SQL_PAUSE_SECONDS, stay, tick)
    return both.projected


@dataclass(slots=True)
class _GraphAndIndex:
    """Followed by one process, so that a long stream leaves the others to Neo4j and to checkpoints."""

    projected: int = 0
    index_at: float = field(default_factory=lambda: time.monotonic() + INDEX_SECONDS)

    def watermark(self) -> int:
        indexed = archive.watermark()
        return sql_graph.watermark() if indexed is None else min(sql_graph.watermark(), indexed)

    def step(self, limit: int) -> int:
        done = sql_graph.project_pending(limit)
        self.projected += done
        if done and time.monotonic() < self.index_at:
            return done
        indexed = archive.step(limit)
        self.index_at = time.monotonic() + INDEX_SECONDS
        return max(done, indexed)


def project_neo4j(stay: float = 0.0) -> int:
    """Bring Neo4j level; returns how many entries this call has projected. `stay`: as `project`."""
    from lineage.services import project_neo4j as neo4j

    return _until_level("project neo4j", neo4j.watermark, neo4j.project_pending, NEO4J_PAUSE_SECONDS, stay)


def publish() -> None:
    """Sign checkpoints until all that was integrated at the call is published.

    What comes meanwhile is the next call's: under a steady load there is always news, and each checkpoint
    waits for the disk several times.
    """
    goal = log_head.size()
    while (made := checkpoints.publish_once()) is not None and made.size < goal:
        pass


def _until_level(
    what: str,
    watermark: Callable[[], int],
    step: Step,
    pause: float,
    stay: float,
    tick: Callable[[], None] = _nothing,
) -> int:
    """Step until there is nothing left; who does not stay, of what the log has now: more may always come.

    Who finds another at it leaves. So whoever lets go looks once more: an entry may have come after its last
    look, and whom its wake-up woke may have left before it let go.
    """
    total, fruitless, goal = 0, 0, log_head.size()

    def is_over() -> bool:
        tick()
        return not stay and watermark() >= goal

    while fruitless < 2:
        with alone(what) as mine:
            if not mine:
                break
            done = _exhaust(step, pause, stay, log_head.size, is_over)
        total += done
        if watermark() >= (log_head.size() if stay else goal):
            break
        fruitless = 0 if done else fruitless + 1
    return total


def _exhaust(
    step: Step,
    pause: float,
    stay: float,
    size: Callable[[], int],
    is_over: Callable[[], bool] = lambda: False,
) -> int:
    """`size`: how many entries the log has. Who stays does this behind all others, and lets a burst pass.

    `is_over` is asked after each step whether it is enough.
    """
    total, until, limit, burst = 0, 0.0, FIRST, Burst()
    burst.rest(size())
    while (done := step(limit)) or time.monotonic() < until:
        total += done
        if done and total >= STREAM:
            until = time.monotonic() + stay
        if done == 0:
            burst.level()
        hurry(behind=done >= limit)
        if is_over():
            break
        if done < limit and (done >= STREAM or time.monotonic() < until):
            time.sleep(pause)
        while done >= limit and stay and (rest := burst.rest(size())):
            time.sleep(rest)
        limit = BATCH
    return total
