"""Re-verification: the bytes of copies are read again, and the log says what was found.

Owns: the job `reverify`: which copies, several at a time, one signed statement a sweep and storage of up to
1,000 rows. Does not own: where copies lie (`copies`), one look (`check_looks`), what follows (`graph`).

A storage that can't be reached is one alarm, and makes no rows: nothing is known of what lies in it.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby, islice

from lineage.artifacts.storage import GoneError, Storage
from lineage.db.models import Entry, Envelope, StorageSweep
from lineage.errors import (
    ConfigurationError,
    MalformedError,
    NotFoundError,
)
from lineage.graph.check_policy import FULL, METHODS, Limits
from lineage.predicates.check import MAX_ROWS
from lineage.services import (
    check_policies,
    copies,
    inventories,
    observe,
    storage_access,
    storages,
)
from lineage.services.check_looks import Look
from lineage.services.check_sweep import Sweep
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
TURN_SECONDS = 900.0
"""After which a job of the schedule ends; it is put in line again, behind what others have asked for."""
INVENTORY = "inventory "
"""How steps begin that record inventories."""
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
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _turn_ends: float = field(default_factory=lambda: time.monotonic() + TURN_SECONDS)

    def run(self) -> Result:
        said = self._said_before()
        places = {place.name: place for place in storages.listed()}
        self.asked = [copy for copy in self.asked if copy.storage in places]
        left = [copy for copy in self.asked if (copy.key, copy.location) not in said]
        self.done = len(self.asked) - len(left)
        for name, group in groupby(sorted(left, key=_storage_of), key=_storage_of):
            self._storage(places[name], deque(group))
        return self._result()

    def _said_before(self) -> set[tuple[str, str]]:
        """The copies of which an earlier attempt, which then ended, has said what it found."""
        said = set()
        for step, index in self.lease.steps().items():
            if not step.startswith(INVENTORY):
                for row in _rows(index):
                    said.add((row["digest"], row["location"]))
                    self.outcomes[row["outcome"]] += 1
        return said

    def _result(self) -> Result:
        found: Result = {"checked": self.outcomes.total(), **{each: self.outcomes[each] for each in OUTCOMES}}
        if self.gone:
            found["gone"] = dict(self.gone)
        return found

    def _storage(self, place: Place, left: deque[Copy]) -> None:
        limits = check_policies.current().limits_of(place.root.uri)
        self._say(f"reaching {place.title}")
        with ExitStack() as stack:
            try:
                storage = stack.enter_context(storage_access.opened(place.name))
                storage.probe()
            except (GoneError, ConfigurationError, NotFoundError) as error:
                # Of this storage alone: a credential that can't be read keeps no other from being checked.
                self._gone(place, error.message)
                return
            storage_access.reached(place.name)
            while left and not self.is_over(limits):
                gone = self._sweep(place, storage, left, limits)
                if gone is not None:
                    self._gone(place, gone.message)
                    return

    def is_over(self, limits: Limits) -> bool:
        """Whether no other copy is to be begun: the schedule's jobs have a turn, and keep quiet hours."""
        if not self.lease.key.startswith(STORAGE):
            return False
        return time.monotonic() > self._turn_ends or limits.is_quiet(now_us())

    def _gone(self, place: Place, why: str) -> None:
        storage_access.gone(place.name, why)
        self.gone[place.name] = why

    def _sweep(self, place: Place, storage: Storage, left: deque[Copy], limits: Limits) -> GoneError | None:
        """Look at the first of what is left, and say what was found; why it ended where the storage went."""
        started, before = now_us(), self.read
        sweep = Sweep(self, storage, list(islice(left, MAX_ROWS)), limits)
        looks = sweep.looks()
        for _ in sweep.begun:
            left.popleft()
        if looks:
            self._append(place, looks, started, self.read - before)
        return sweep.gone

    def _append(
        self,
        place: Place,
        looks: Mapping[Copy, tuple[Look, int]],
        started: int,
        read: int,
    ) -> None:
        for copy, (look, _) in looks.items():
            if look.inventory is not None:
                self.lease.append(inventories.prepare(copy.key, look.inventory), f"{INVENTORY}{copy.key}")
        rows = [_row(copy, look, at) for copy, (look, at) in looks.items()]
        prepared = observe.prepare("reverifier", CHECK_TYPE, (copy.key for copy in looks), {"rows": rows})
        counted = Counter(look.outcome for look, _ in looks.values())
        self.outcomes += counted
        ended = self.done == len(self.asked)
        appended = self.lease.append(prepared, _step(looks), result=self._result() if ended else None)
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

    def reading(self, copy: Copy) -> None:
        self.note = copy.location

    def looked(self, count: int) -> None:
        self.done += count

    def _say(self, note: str) -> None:
        self.note = note
        self.tick()

    def tick(self) -> None:
        """Progress in copies, with the bytes read so far. Only from the job's own thread."""
        words = f"{self.note}; {self.read:,} bytes read" if self.read else self.note
        self.lease.progress(self.done, len(self.asked), words)


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


def _step(looks: Iterable[Copy]) -> str:
    """A step is named by what it covers."""
    names = json.dumps([(copy.key, copy.location) for copy in looks])
    return hashlib.sha256(names.encode()).hexdigest()


def _rows(index: int) -> list[dict[str, str]]:
    """What entry `index`, a check, says."""
    digest = Entry.objects.values_list("envelope_digest", flat=True).get(pk=index)
    envelope = dsse.parse(bytes(Envelope.objects.values_list("content", flat=True).get(pk=digest)))
    rows: list[dict[str, str]] = json.loads(
        statement.parse(envelope.payload_type, envelope.payload).predicate
    )["rows"]
    return rows
