"""Re-verification: the bytes of copies are read again, and the log says what was found.

Owns: the job `reverify`: storage by storage, sweep by sweep, what is left out and why. Does not own: which
copies a job is about (`check_asked`), a sweep (`check_sweep`), one look (`check_looks`), what is said of it
(`check_report`), what follows (`graph`).

A storage that can't be reached is one alarm, and makes no rows: nothing is known of what lies in it. Nor is
anything known of what lies in one that is paused: nobody reads there, whoever asks.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from lineage.artifacts.storage import GoneError, Storage
from lineage.errors import (
    ConfigurationError,
    GraphBehindError,
    InconclusiveError,
    MalformedError,
    NotFoundError,
)
from lineage.graph.check_policy import METHODS, Limits
from lineage.predicates.check import MAX_ROWS
from lineage.services import (
    check_asked,
    check_policies,
    check_report,
    copies,
    standing,
    storage_access,
    storages,
)
from lineage.services.check_asked import ALL, DUE, STORAGE, Asked, Line
from lineage.services.check_progress import Meter
from lineage.services.check_report import CHECK_TYPE, INVENTORY, Swept
from lineage.services.check_sweep import Sweep
from lineage.services.clock import now_us
from lineage.services.copies import Copy
from lineage.services.job_lease import Lease, Result
from lineage.services.standing import Watch
from lineage.services.storages import Place

__all__ = ["ALL", "CHECK_TYPE", "DUE", "INVENTORY", "KIND", "STORAGE", "due", "run"]

KIND = "reverify"
TURN_SECONDS = 900.0
"""After which a job of the schedule ends; it is put in line again, behind what others have asked for."""
LOOK_SECONDS = 1.0
"""Between two looks whether a storage was paused meanwhile."""
OUTCOMES = ("match", "mismatch", "inconclusive")


def run(lease: Lease) -> Result:
    """The job `reverify`: its key is a node key, `storage:<name>`, `all` or `due`.

    The result counts outcomes. `gone` says of which storages nothing is known and why, `paused` how many
    copies were not read because theirs is paused, `left` how many are due still where a turn was over.

    Raises: NotFoundError for an unknown node; GraphBehindError where the graph does not tell which copies
        there are, or no longer. What was said by then stays said.
    """
    method = lease.arguments.get("method") or ""
    if method and method not in METHODS:
        raise MalformedError(f"A method is one of {', '.join(METHODS)}, not {method!r}.")
    watch = standing.for_job(lease, standing.late_size())
    return _Sweeps(lease, watch).run(check_asked.asked(lease.key, watch, method))


def due(at_us: int) -> Iterable[tuple[str, Mapping[str, object]]]:
    """A job for each storage in which something is due, unless it is paused, quiet, or was gone just now.

    None while the graph is made anew: until their checks are in it again, all copies are due.
    """
    if standing.of(standing.late_size()) is None:
        return
    for place in storages.listed():
        if not place.paused and copies.is_any_due(place.name, at_us):
            quiet = check_policies.current().limits_of(place.root.uri).is_quiet(at_us)
            if not quiet and storage_access.may_try(place.name, at_us):
                yield STORAGE + place.name, {}


@dataclass
class _Pause:
    """Whether a storage is paused, as it is now or was a moment ago."""

    place: Place
    _paused: bool = False
    _look_at: float = 0.0

    def is_on(self) -> bool:
        now = time.monotonic()
        if not self._paused and now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            found = storages.find(self.place.name)
            self._paused = found is not None and found.paused
        return self._paused


@dataclass
class _Sweeps:
    """One attempt at checking what is asked for, storage by storage."""

    lease: Lease
    watch: Watch
    outcomes: Counter[str] = field(default_factory=Counter)
    gone: dict[str, str] = field(default_factory=dict)
    paused: dict[str, str] = field(default_factory=dict)
    _turn_ends: float = field(default_factory=lambda: time.monotonic() + TURN_SECONDS)

    def __post_init__(self) -> None:
        self.meter = Meter(in_bytes=check_asked.is_of_artifact(self.lease.key))
        self._pause: _Pause | None = None

    def run(self, asked: list[Asked]) -> Result:
        said = set()
        for row in check_report.said(self.lease):
            said.add(check_asked.name_of(row["digest"], row["location"]))
            self.outcomes[row["outcome"]] += 1
        read = []
        for each in asked:
            if each.place.paused:
                self._leave_out(each.place, each.total)
            else:
                read.append(each)
        self.meter.total = sum(each.total for each in read)
        for each in read:
            self._storage(each, Line(each.pages, said, self.meter.looked), last=each is read[-1])
        return self._result()

    def _result(self) -> Result:
        found: Result = {"checked": self.outcomes.total(), **{each: self.outcomes[each] for each in OUTCOMES}}
        left = self.meter.total - self.meter.done
        if self.lease.key.startswith(STORAGE) and left > 0 and not self.gone and not self.paused:
            found["left"] = left
        if self.gone:
            found["gone"] = dict(self.gone)
        if self.paused:
            found["paused"] = dict(self.paused)
        return found

    def _leave_out(self, place: Place, count: int) -> None:
        self.paused[place.name] = "1 copy" if count == 1 else f"{count:,} copies"

    def _storage(self, asked: Asked, line: Line, *, last: bool) -> None:
        place, before = asked.place, self.meter.done
        self._pause = _Pause(place)
        self.meter.say(f"reaching {place.title}")
        self.tick()
        with ExitStack() as stack:
            try:
                storage = stack.enter_context(storage_access.opened(place.name))
                storage.probe()
            except (InconclusiveError, ConfigurationError, NotFoundError) as error:
                # Of this storage alone: a credential that can't be read, or an answer that is none, as of a
                # gateway before it, keeps no other from being checked.
                self._gone(place, error.message)
                return
            storage_access.reached(place.name)
            gone = self._all(place, storage, line, last=last)
        if gone is not None:
            self._gone(place, gone.message)
        elif line.first(1) and self._pause.is_on():
            self._leave_out(place, max(1, asked.total - (self.meter.done - before)))

    def _all(self, place: Place, storage: Storage, line: Line, *, last: bool) -> GoneError | None:
        """Sweep by sweep to the end of the line; why it ended before that where the storage went."""
        limits = check_policies.current().limits_of(place.root.uri)
        while (chunk := line.first(MAX_ROWS)) and not self.is_over(limits):
            started, before = now_us(), self.meter.read
            sweep = Sweep(self, storage, chunk, limits)
            looks = sweep.looks()
            line.drop(len(sweep.begun))
            if looks:
                swept = Swept(place.name, started, self.meter.read - before, looks)
                self.outcomes += swept.outcomes
                check_report.say(self.lease, swept, result=self._ended(line, last, sweep, swept))
            if sweep.gone is not None:
                return sweep.gone
        return None

    def _ended(self, line: Line, last: bool, sweep: Sweep, swept: Swept) -> Result | None:
        """The job's result where this was its last sweep.

        Raises: GraphBehindError where there may be more copies than the graph has left; what was found is
            said before.
        """
        try:
            ended = last and sweep.gone is None and not line.first(1)
        except GraphBehindError:
            check_report.say(self.lease, swept, result=None)
            raise
        return self._result() if ended else None

    def is_over(self, limits: Limits) -> bool:
        """Whether no other copy is to be begun: the schedule's jobs have a turn, and keep quiet hours."""
        if self._pause is not None and self._pause.is_on():
            return True
        if not self.lease.key.startswith(STORAGE):
            return False
        return time.monotonic() > self._turn_ends or limits.is_quiet(now_us())

    def graph_stands(self) -> bool:
        return self.watch.stands()

    def _gone(self, place: Place, why: str) -> None:
        storage_access.gone(place.name, why)
        self.gone[place.name] = why

    def hashed(self, copy: Copy, count: int) -> None:
        self.meter.hashed(copy, count)

    def sized(self, copy: Copy, size: int) -> None:
        self.meter.sized(copy, size)

    def reading(self, copy: Copy) -> None:
        self.meter.begin(copy)

    def looked(self, copy: Copy) -> None:
        self.meter.looked(copy)

    def tick(self) -> None:
        """Progress. Only from the job's own thread."""
        self.lease.progress(*self.meter.figures())
