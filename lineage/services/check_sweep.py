"""One sweep: looks at some copies in a storage, several at a time, for a while.

Owns: threads, the pace at which is read, what becomes of a look that fails. Does not own: one look
(`check_looks`), whether a storage is gone (`check_unreached`), what is said of it (`reverify`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import msgspec

from lineage import processors
from lineage.artifacts.storage import GoneError, Storage
from lineage.db.models import Entry
from lineage.errors import InconclusiveError, MalformedError, TooLargeError
from lineage.graph.check_policy import FULL, Limits
from lineage.predicates.inventory import Inventory
from lineage.services import check_looks, inventories
from lineage.services.check_looks import Look, Looker
from lineage.services.check_unreached import Unreached
from lineage.services.clock import now_us
from lineage.services.copies import Copy

TICK_SECONDS = 0.2
SWEEP_SECONDS = 300.0
"""After which what was found is said: a difference waits for nobody's terabytes."""
MAX_WORKERS = 64

Found = dict[Copy, tuple[Look, int]]
"""What was found at a copy, and when (µs)."""

log = logging.getLogger(__name__)


class Job(Protocol):
    """What a sweep is part of. All but `hashed` and `sized` are called from the job's own thread."""

    def hashed(self, copy: Copy, count: int) -> None:
        """So many more bytes were read of it; from any thread."""
        ...

    def sized(self, copy: Copy, size: int) -> None:
        """So many bytes are to be read of it; from any thread."""
        ...

    def reading(self, copy: Copy) -> None:
        """This copy is begun."""
        ...

    def looked(self, copy: Copy) -> None:
        """This copy is done."""
        ...

    def tick(self) -> None:
        """Several times a second. Raises: FencedError, StoppedError."""
        ...

    def is_over(self, limits: Limits) -> bool:
        """Whether no other copy is to be begun."""
        ...

    def graph_stands(self) -> bool:
        """Whether what the graph lacks is not in the log either."""
        ...


class Sweep:
    """Looks at some copies in a storage, several at a time."""

    def __init__(self, job: Job, storage: Storage, chunk: Sequence[Copy], limits: Limits) -> None:
        self.begun: list[Copy] = []
        self._job = job
        self._chunk = chunk
        self._limits = limits
        self._until = time.monotonic() + SWEEP_SECONDS
        self._at_least = newest_us()
        sizes = inventories.sizes(copy.key for copy in chunk)
        cores = processors.usable()
        at_once = min(limits.concurrency or cores, MAX_WORKERS)
        self._workers = max(1, min(at_once, len(chunk)))
        self._pace = _Pace(limits.bytes_per_second)
        recorded = {copy.key: _shards(copy) for copy in chunk if copy.key in sizes and _in_parts(copy)}
        unsettled = inventories.unsettled(sizes)
        self._looker = Looker(storage, sizes, recorded, unsettled, max(1, at_once // self._workers))
        self._unreached = Unreached(storage)

    @property
    def gone(self) -> GoneError | None:
        """Why the storage went meanwhile; None where it did not."""
        return self._unreached.gone

    def looks(self) -> Found:
        """What was found at each, and when (µs). Where the storage goes meanwhile, of those before."""
        found: Found = {}
        pending = iter(self._chunk)
        # One more than looks, for the question whether the storage is there: it waits for no large file.
        with ThreadPoolExecutor(self._workers + 1, thread_name_prefix="check") as pool:
            running: dict[Future[Look], Copy] = {}
            try:
                while self._fill(pool, running, pending) or self._unreached.is_open:
                    under_way: list[Future[Any]] = [*running, *self._unreached.ask(pool, now=not running)]
                    wait(under_way, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
                    self._settle(found)
                    self._collect(pool, running, found)
                    self._job.tick()
            finally:
                self._pace.stop()  # else a worker that is to end would read its files to their ends
                self._unreached.stop()
                for future in running:
                    future.cancel()
        return {copy: found[copy] for copy in self._chunk if copy in found}

    def _collect(self, pool: ThreadPoolExecutor, running: dict[Future[Look], Copy], found: Found) -> None:
        """Take the looks that are over, and begin what is still to be asked of some."""
        for future in [each for each in running if each.done()]:
            copy = running.pop(future)
            again = self._take(copy, future, found)
            recorded = inventories.of_node(copy.key) if again is not None else None
            # Why a copy differs is not told where it can't be known whether that was recorded.
            if again is not None and (recorded is not None or self._job.graph_stands()):
                running[pool.submit(again, recorded)] = copy

    def _settle(self, found: Found) -> None:
        """Keep what could not be read in a storage that is there."""
        for copy, look in self._unreached.settled():
            if copy not in found:  # else it did differ, and only why can't be told
                found[copy] = look
                self._job.looked(copy)

    def _fill(
        self, pool: ThreadPoolExecutor, running: dict[Future[Look], Copy], pending: Iterator[Copy]
    ) -> bool:
        while self.gone is None and len(running) < self._workers:
            if self.begun and (time.monotonic() > self._until or self._job.is_over(self._limits)):
                break
            copy = next(pending, None)
            if copy is None:
                break
            self.begun.append(copy)
            self._job.reading(copy)
            running[pool.submit(self._look, copy)] = copy
        return bool(running)

    def _look(self, copy: Copy) -> Look:
        """In a thread of its own."""

        def read(count: int) -> None:
            self._job.hashed(copy, count)
            self._pace.read(count)

        return replace(self._looker, progress=read, sized=partial(self._job.sized, copy)).look(copy)

    def _take(
        self, copy: Copy, future: Future[Look], found: Found
    ) -> Callable[[Inventory | None], Look] | None:
        """Keep what was found; returns what is still to be asked of the recorded inventory, in a thread."""
        at = max(now_us(), self._at_least)
        first = copy not in found
        try:
            look = future.result()
            found[copy] = look, at
            again = look.explain
        except GoneError as error:
            self._unreached.keep(copy, error, at)
            again, first = None, False
        except (InconclusiveError, TooLargeError, MalformedError) as error:
            again = None
            if first:  # else it did differ, and only why can't be told
                found[copy] = check_looks.inconclusive(copy, error), at
        except Exception as error:
            # A defect that one file shows must not keep all others from being checked.
            log.exception("A look at %s failed", copy.location)
            again = None
            if first:
                why = InconclusiveError(f"It could not be looked at, for a defect of ours: {error!r}.")
                found[copy] = check_looks.inconclusive(copy, why), at
        if first:
            self._job.looked(copy)
        return again


class _Pace:
    """Waits where so much would be read that it is too much in a second, and ends reading once stopped."""

    def __init__(self, bytes_per_second: int | None) -> None:
        self._rate = bytes_per_second
        self._free_at = time.monotonic()
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def read(self, count: int) -> None:
        """Raises: InconclusiveError once stopped; nobody records that."""
        pause = 0.0
        if self._rate is not None:
            with self._lock:
                self._free_at = max(self._free_at, time.monotonic() - 1.0) + count / self._rate
                pause = self._free_at - time.monotonic()
        if self._stopped.wait(pause) if pause > 0 else self._stopped.is_set():
            raise InconclusiveError("The worker is to end.")

    def stop(self) -> None:
        self._stopped.set()


def _in_parts(copy: Copy) -> bool:
    return copy.method != FULL and not copy.key.startswith("dirHash:")


def _shards(copy: Copy) -> Inventory | None:
    """What was recorded of the copy's bytes, without what is inside: a sweep keeps a thousand of these."""
    found = inventories.of_node(copy.key)
    if found is None:
        return None
    return msgspec.structs.replace(
        found, files=tuple(msgspec.structs.replace(file, description=None) for file in found.files[:2])
    )


def newest_us() -> int:
    """When the log's newest entry was received: a look now is never earlier, however the clock jumps."""
    return Entry.objects.order_by("-index").values_list("received_us", flat=True).first() or 0
