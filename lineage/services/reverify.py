"""Re-verification: the bytes of copies are read again, and the log says what was found.

Owns: the job `reverify`: which copies, several at a time, one signed statement a sweep and storage of up to
1,000 rows. Does not own: where copies lie (`copies`), one look (`check_looks`), what follows (`graph`).

A storage that can't be reached is one alarm, and makes no rows: nothing is known of what lies in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from itertools import groupby

from lineage.artifacts.storage import GoneError, Storage
from lineage.db.models import Entry, Envelope, StorageSweep
from lineage.errors import InconclusiveError, MalformedError, TooLargeError
from lineage.graph.check_policy import FULL, METHODS, Limits
from lineage.predicates.check import MAX_ROWS
from lineage.predicates.inventory import Inventory
from lineage.services import (
    check_looks,
    check_policies,
    copies,
    inventories,
    observe,
    storage_access,
    storages,
)
from lineage.services.check_looks import Look, Looker
from lineage.services.clock import now_us
from lineage.services.copies import Copy
from lineage.services.job_lease import Lease, Result
from lineage.services.storages import Place
from lineage.trust import dsse, statement
from lineage.trust.leaf import rfc3339

KIND = "reverify"
CHECK_TYPE = "urn:lineage:predicate:check:v1"
ALL, DUE, STORAGE = "all", "due", "storage:"
"""Keys of jobs: about every copy, those without a match that still counts, what is due in a storage."""
MAX_COPIES = 100_000
"""Of a storage in one job; the schedule puts the rest in line again."""
TICK_SECONDS = 0.2
OUTCOMES = ("match", "mismatch", "inconclusive")


def run(lease: Lease) -> Result:
    """The job `reverify`: its key is a node key, `storage:<name>`, `all` or `due`.

    Raises: NotFoundError for an unknown node or storage.
    """
    method = lease.arguments.get("method") or ""
    if method and method not in METHODS:
        raise MalformedError(f"A method is one of {', '.join(METHODS)}, not {method!r}.")
    sweep = _Sweeps(lease, [replace(copy, method=method or copy.method) for copy in _asked(lease.key)])
    return sweep.run()


def due(at_us: int) -> Iterable[tuple[str, Mapping[str, object]]]:
    """A job for each storage in which something is due, unless it is paused, quiet, or was gone just now."""
    counts = copies.due_by_storage(at_us)
    policy = check_policies.current() if counts else None
    for place in storages.listed() if policy else ():
        if counts.get(place.name) and not place.paused and policy:
            quiet = policy.limits_of(place.root.uri).is_quiet(at_us)
            if not quiet and storage_access.may_try(place.name, at_us):
                yield STORAGE + place.name, {}


def _asked(key: str) -> list[Copy]:
    if key.startswith(STORAGE):
        return copies.due(key.removeprefix(STORAGE), limit=MAX_COPIES)
    if key == DUE:
        return [copy for place in _open() for copy in copies.unsettled(place.name, limit=MAX_COPIES)]
    if key == ALL:
        # By hand, and so once more from the start: the digest itself is what is asked for.
        found = [copy for place in _open() for copy in copies.of_storage(place.name, limit=MAX_COPIES)]
        return [replace(copy, method=FULL) for copy in found]
    return [replace(copy, method=FULL) for copy in copies.of_node(key)]


def _open() -> list[Place]:
    return [place for place in storages.listed() if not place.paused]


@dataclass
class _Sweeps:
    """One attempt at checking `asked`, storage by storage."""

    lease: Lease
    asked: Sequence[Copy]
    outcomes: Counter[str] = field(default_factory=Counter)
    read: int = 0
    gone: dict[str, str] = field(default_factory=dict)
    note: str = ""
    done: int = 0
    chunks_left: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> Result:
        made = self.lease.steps()
        places = {place.name: place for place in storages.listed()}
        left: dict[str, list[Sequence[Copy]]] = {}
        for name, group in groupby(sorted(self.asked, key=_storage_of), key=_storage_of):
            for chunk in _chunks(list(group)):
                if (step := _step(chunk)) in made:  # by an earlier attempt, which then ended
                    self.outcomes += _outcomes(made[step])
                    self.done += len(chunk)
                elif name in places:
                    left.setdefault(name, []).append(chunk)
                    self.chunks_left += 1
        for name, chunks in left.items():
            self._storage(places[name], chunks)
        return self._result()

    def _result(self) -> Result:
        found: Result = {"checked": self.outcomes.total(), **{each: self.outcomes[each] for each in OUTCOMES}}
        if self.gone:
            found["gone"] = dict(self.gone)
        return found

    def _storage(self, place: Place, chunks: Iterable[Sequence[Copy]]) -> None:
        limits = check_policies.current().limits_of(place.root.uri)
        self._say(f"reaching {place.title}")
        try:
            with storage_access.opened(place.name) as storage:
                storage.probe()
                storage_access.reached(place.name)
                for chunk in chunks:
                    if self.lease.key.startswith(STORAGE) and limits.is_quiet(now_us()):
                        return  # the rest is due when it is loud again
                    self._sweep(place, storage, chunk, limits)
        except GoneError as error:
            storage_access.gone(place.name, error.message)
            self.gone[place.name] = error.message

    def _sweep(self, place: Place, storage: Storage, chunk: Sequence[Copy], limits: Limits) -> None:
        """Raises: GoneError where the storage went meanwhile, after what was found before is in the log."""
        started, before = now_us(), self.read
        sweep = _Chunk(self, storage, chunk, limits)
        looks = sweep.looks()
        self.chunks_left -= 1
        if looks:
            self._append(place, looks, chunk, started, self.read - before)
        if sweep.gone is not None:
            raise sweep.gone

    def _append(
        self,
        place: Place,
        looks: Mapping[Copy, tuple[Look, int]],
        chunk: Sequence[Copy],
        started: int,
        read: int,
    ) -> None:
        for copy, (look, _) in looks.items():
            if look.inventory is not None:
                self.lease.append(inventories.prepare(copy.key, look.inventory), f"inventory {copy.key}")
        rows = [_row(copy, look, at) for copy, (look, at) in looks.items()]
        prepared = observe.prepare("reverifier", CHECK_TYPE, (copy.key for copy in looks), {"rows": rows})
        counted = Counter(look.outcome for look, _ in looks.values())
        self.outcomes += counted
        ended = not self.chunks_left and len(looks) == len(chunk)
        appended = self.lease.append(prepared, _step(chunk), result=self._result() if ended else None)
        StorageSweep.objects.get_or_create(
            entry_index=appended.index,
            defaults={
                "storage": place.name,
                "job_id": self.lease.job_id,
                "started_us": started,
                "finished_us": now_us(),
                "bytes": read,
                "matches": counted["match"],
                "mismatches": counted["mismatch"],
                "inconclusive": counted["inconclusive"],
            },
        )

    def hashed(self, count: int) -> None:
        """To be called from any thread."""
        with self._lock:
            self.read += count

    def _say(self, note: str) -> None:
        self.note = note
        self.tick()

    def tick(self) -> None:
        """Progress in copies, with the bytes read so far. Only from the job's own thread."""
        words = f"{self.note}; {self.read:,} bytes read" if self.read else self.note
        self.lease.progress(self.done, len(self.asked), words)


class _Chunk:
    """Looks at some copies in a storage, several at a time."""

    def __init__(self, sweeps: _Sweeps, storage: Storage, chunk: Sequence[Copy], limits: Limits) -> None:
        self.gone: GoneError | None = None
        self._sweeps = sweeps
        self._chunk = chunk
        self._at_least = _newest_us()
        sizes = inventories.sizes(copy.key for copy in chunk)
        recorded = {c.key: inventories.of_node(c.key) for c in chunk if c.method != FULL and c.key in sizes}
        cores = os.cpu_count() or 1
        self._workers = max(1, min(limits.concurrency or cores, len(chunk)))
        pace = _Pace(limits.bytes_per_second, sweeps.hashed)
        self._looker = Looker(
            storage,
            sizes,
            recorded,
            max(1, (limits.concurrency or cores) // self._workers),
            pace.read,
        )

    def looks(self) -> dict[Copy, tuple[Look, int]]:
        """What was found at each, and when (µs). Where the storage goes meanwhile, of those before."""
        found: dict[Copy, tuple[Look, int]] = {}
        pending = iter(self._chunk)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="check") as pool:
            running: dict[Future[Look], Copy] = {}
            try:
                while self._fill(pool, running, pending):
                    done, _ = wait(running, timeout=TICK_SECONDS, return_when=FIRST_COMPLETED)
                    for future in done:
                        copy = running.pop(future)
                        again = self._take(copy, future, found)
                        if again is not None:
                            running[pool.submit(again, inventories.of_node(copy.key))] = copy
                    self._sweeps.tick()
            finally:
                for future in running:
                    future.cancel()
        return {copy: found[copy] for copy in self._chunk if copy in found}

    def _fill(
        self, pool: ThreadPoolExecutor, running: dict[Future[Look], Copy], pending: Iterator[Copy]
    ) -> bool:
        while self.gone is None and len(running) < self._workers:
            copy = next(pending, None)
            if copy is None:
                break
            self._sweeps.note = copy.location
            running[pool.submit(self._looker.look, copy)] = copy
        return bool(running)

    def _take(
        self, copy: Copy, future: Future[Look], found: dict[Copy, tuple[Look, int]]
    ) -> Callable[[Inventory | None], Look] | None:
        """Keep what was found; returns what is still to be asked of the recorded inventory, in a thread."""
        at = max(now_us(), self._at_least)
        first = copy not in found
        try:
            look = future.result()
            found[copy] = look, at
            again = look.explain
        except GoneError as error:
            self.gone, again, first = error, None, False
        except (InconclusiveError, TooLargeError, MalformedError) as error:
            again = None
            if first:  # else it did differ, and only why can't be told
                found[copy] = check_looks.inconclusive(copy, error), at
        self._sweeps.done += first
        return again


class _Pace:
    """Counts what is read, and waits where that would be too much in a second."""

    def __init__(self, bytes_per_second: int | None, count: Callable[[int], None]) -> None:
        self._rate = bytes_per_second
        self._count = count
        self._free_at = time.monotonic()
        self._lock = threading.Lock()

    def read(self, count: int) -> None:
        self._count(count)
        if self._rate is None:
            return
        with self._lock:
            self._free_at = max(self._free_at, time.monotonic() - 1.0) + count / self._rate
            pause = self._free_at - time.monotonic()
        if pause > 0:
            time.sleep(pause)


def _row(copy: Copy, look: Look, at: int) -> dict[str, object]:
    """A look as a row of a check."""
    row: dict[str, object] = {
        "digest": copy.key,
        "location": copy.location,
        "method": look.method,
        "expected": look.expected,
        "outcome": look.outcome,
        "at": rfc3339(at),
    }
    given = {"observed": look.observed, "reason": look.reason, "bytes": look.bytes}
    return row | {name: value for name, value in given.items() if value}


def _storage_of(copy: Copy) -> str:
    return copy.storage


def _newest_us() -> int:
    """When the log's newest entry was received: a look now is never earlier, however the clock jumps."""
    return Entry.objects.order_by("-index").values_list("received_us", flat=True).first() or 0


def _chunks(asked: Sequence[Copy]) -> Iterator[Sequence[Copy]]:
    for start in range(0, len(asked), MAX_ROWS):
        yield asked[start : start + MAX_ROWS]


def _step(chunk: Sequence[Copy]) -> str:
    """A step is named by what it covers: a copy that joined since the last attempt makes other steps."""
    names = json.dumps([(copy.key, copy.location) for copy in chunk])
    return hashlib.sha256(names.encode()).hexdigest()


def _outcomes(index: int) -> Counter[str]:
    """What entry `index`, a check, found."""
    digest = Entry.objects.values_list("envelope_digest", flat=True).get(pk=index)
    envelope = dsse.parse(bytes(Envelope.objects.values_list("content", flat=True).get(pk=digest)))
    predicate = json.loads(statement.parse(envelope.payload_type, envelope.payload).predicate)
    return Counter(row["outcome"] for row in predicate["rows"])
