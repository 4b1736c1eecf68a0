"""Whether the graph tells all that the log's first entries say, by the rules of now, while it is read.

Its tables are behind the log for a moment after each entry, and are emptied and made anew where rules,
storages or redactions change. What they lack then proves nothing. Whoever concludes something from what is
missing, and signs it, erases by it, tells it or lets something pass for it, asks here before and after.

Owns: that question, and waiting for the answer. Does not own: following the log (`follow`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lineage.errors import GraphBehindError
from lineage.services import as_of, belief, follow, project
from lineage.services.belief import GraphVersion
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease

LATE_US = 30_000_000
"""What is as old the graph has, but while it is made anew or nobody follows: entries come all the time."""
POLL_SECONDS = 0.05
JOB_SECONDS = 60.0
"""How long a job waits."""
_BEHIND = "The graph has not followed the log yet, or is being made anew."


def of(size: int) -> GraphVersion | None:
    """The tables' name where they tell all of the log's first `size` entries by the rules of now, or None."""
    version = belief.graph_version(size)
    return version if version is not None and project.is_by_these_rules() else None


def late_size() -> int:
    """How many entries the log had `LATE_US` ago."""
    return as_of.size_at(now_us() - LATE_US)


@dataclass(frozen=True, slots=True)
class Watch:
    """Tables that told all of the first `size` entries when it began."""

    size: int
    version: GraphVersion

    def stands(self) -> bool:
        """Whether they do still: nobody has emptied them since."""
        return belief.graph_version(self.size) == self.version

    def check(self) -> None:
        """Raises: GraphBehindError where they do no longer."""
        if not self.stands():
            raise GraphBehindError(_BEHIND, hint="Ask again in a moment.")


def begin(size: int, wait_seconds: float = 0.0, tick: Callable[[], None] | None = None) -> Watch:
    """Wait until the tables tell all of the first `size` entries; `tick` is called now and then meanwhile.

    Raises: GraphBehindError where they don't within `wait_seconds`; what `tick` raises.
    """
    ends = time.monotonic() + wait_seconds
    while (version := of(size)) is None:
        if time.monotonic() >= ends:
            raise GraphBehindError(_BEHIND, hint="Ask again in a moment.")
        if tick is not None:
            tick()
        time.sleep(POLL_SECONDS)
    return Watch(size, version)


def for_job(lease: Lease, size: int) -> Watch:
    """The same for a job, which follows the log itself meanwhile: there may be no worker that does.

    Raises: GraphBehindError, after which the job is tried again a while later; FencedError, StoppedError.
    """

    def tell() -> None:
        lease.progress(0, 0, "waiting for the graph")

    def tick() -> None:
        tell()
        follow.project(tick=tell)  # which may be all of a large log: the lease is kept meanwhile

    return begin(size, JOB_SECONDS, tick)


@contextmanager
def whole(size: int, wait_seconds: float = 0.0) -> Iterator[Watch]:
    """Around what is read of the graph. Raises: GraphBehindError before or after."""
    watch = begin(size, wait_seconds)
    yield watch
    watch.check()
