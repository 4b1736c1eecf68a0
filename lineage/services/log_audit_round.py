"""The log read again round after round by the schedule, and how that stands: the job `log-audit`.

Each run reads the newest entries, and goes on in the round where the last one ended: as much as it takes to
come round within `LINEAGE_AUDIT_DAYS`. What it reads is tied to the newest checkpoint: that is verified each
time, what it says of earlier entries is compared with their tiles, and tiles with the entries they are of.

What is found is state of this installation, kept in one row, and no entry of the log: a log can't vouch for
itself, an entry appended to a damaged one would be doubted with it, and whoever can alter entries can take
that one away too. Anybody who reads the log again finds the same. What is wrong stays so until the very part
was read again and is right.

Owns: what is read when, the row. Does not own: reading (`log_audit_part`), the whole log at once
(`log_audit`), what it means for people (`audit_condition`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping

from django.db import transaction

from lineage import processors
from lineage.config import current
from lineage.db.models import Entry, LogAudit, LogHead
from lineage.errors import LineageError, LogIntegrityError
from lineage.services import (
    log_audit,
    log_audit_beside,
    log_audit_crew,
    log_audit_part,
    log_audit_tree,
    log_hashes,
    publish,
)
from lineage.services.clock import now_us
from lineage.services.job_lease import Lease, Result
from lineage.services.log_audit import AuditReport
from lineage.services.log_audit_part import Joined, Log
from lineage.services.log_audit_tree import PART

KIND = "log-audit"
EVERY_US = 3_600_000_000
"""Between two runs; the first is so long after the log began."""
LEAST_PARTS = 4
"""A run reads at least so many: a small log is read whole each time."""
RUN_SECONDS = 600.0
"""After which a run ends; the next one goes on."""
_HURRY = 1.2
"""Runs fall out, so a round is planned shorter than it may take."""


def due(at_us: int) -> Iterable[tuple[str, Mapping[str, object]]]:
    """One job, an hour after the last one ended or the log began; a clock that was set back delays none."""
    last = last_us()
    if last is None:
        last = Entry.objects.values_list("received_us", flat=True).filter(pk=0).first()
    if last is not None and not 0 <= at_us - last < EVERY_US:
        yield "", {}


def run(lease: Lease) -> Result:
    """The job: the newest part, what was wrong before, and the round's next. It is done with what it says.

    Raises: StoppedError, FencedError, UnavailableError; then nothing is said of the log.
    """
    head = LogHead.objects.get(pk=1)
    log = Log(head.origin, head.policy_index, head.size, min(publish.published_size(), head.size), 0)
    seen = LogAudit.objects.filter(pk=1).first() or LogAudit(
        id=1, round_us=now_us(), newest=_floor(head.size)
    )
    turn = _Turn(lease, log, seen)
    wrong, part = "", None
    with log_audit.nothing_believed():
        try:
            turn.read()
            log_audit_beside.check(head)
        except LogIntegrityError as error:
            wrong, part = log_audit.words(error), turn.part
    result: Result = {"read": turn.entries, "of": head.size, "wrong": wrong}
    with transaction.atomic():
        lease.finish(result)
        state = _held(seen)
        if state.round_us == seen.round_us:  # else all of it was read meanwhile, and a new round has begun
            turn.went_on(state, over=not wrong and turn.position > head.size)
        _found(state, turn.entries, wrong, part, seen.ran_us)
    return result


def _floor(index: int) -> int:
    return index - index % PART


def _held(first: LogAudit) -> LogAudit:
    """The row as it is now, nobody else's to the end of the transaction; `first` where there was none."""
    LogAudit.objects.bulk_create([first], ignore_conflicts=True)
    return LogAudit.objects.select_for_update().get(pk=1)


def _found(state: LogAudit, entries: int, wrong: str, part: int | None, since: int | None) -> None:
    """Write what was found by reading that began when somebody had read last at `since`.

    What another has found wrong meanwhile is not taken back: it may have become so after that part was read.
    """
    if state.wrong and not wrong and state.ran_us != since:
        wrong, part = state.wrong, state.wrong_part
    state.ran_us, state.read = now_us(), entries
    if wrong != state.wrong:
        state.wrong_us = state.ran_us if wrong else None
    state.wrong, state.wrong_part = wrong, part
    state.save()


def last_us() -> int | None:
    """When reading ended the last time (µs); None: never."""
    return LogAudit.objects.values_list("ran_us", flat=True).filter(pk=1).first()


def keep(report: AuditReport, since: int | None = None) -> None:
    """Keep what came of a whole audit that somebody made by hand, as a round. `since`: `last_us` as it began.

    One that began later says what is wrong where it read, and nothing about the rest.
    """
    if report.start and not report.wrong:
        return
    now = now_us()
    with transaction.atomic():
        state = _held(LogAudit(id=1, round_us=now))
        if not report.wrong:
            state.position, state.newest = 0, _floor(report.size)
            state.round_us = state.rounded_us = now
        _found(state, report.read, report.wrong, report.wrong_part, since)


class _Turn:
    """What one run reads, part by part. `part` is where the part in hand begins."""

    def __init__(self, lease: Lease, log: Log, state: LogAudit) -> None:
        self._lease = lease
        self._log = log
        # A log that is shorter than it was begins a round anew.
        self.position = state.position if state.position <= log.size else 0
        self.newest = min(state.newest, _floor(log.size))
        self.part: int | None = None
        self.entries = 0
        self._until = time.monotonic() + RUN_SECONDS
        self._again = None if state.wrong_part is None else _floor(min(state.wrong_part, log.size))
        runs = current().audit_days * 86_400_000_000 / EVERY_US / _HURRY
        self._share = max(LEAST_PARTS, math.ceil((log.size // PART + 1) / runs))

    def read(self) -> None:
        """Raises: LogIntegrityError at the first part that is wrong."""
        newest = list(range(self.newest, self._log.size + 1, PART))
        planned = list(range(self.position, self._log.size + 1, PART))[: self._share]
        onward = [first for first in planned if first < self.newest]
        again = [] if self._again is None else [self._again]
        count = len({*newest, *onward, *again})
        half = self._until - RUN_SECONDS / 2
        with log_audit_crew.reading(processors.usable(), count * PART) as read:
            self._read_all(read, again, self._until)
            newly = self._read_all(read, newest, half)
            reached = self._read_all(read, onward, self._until, self.position)
        # What was planned and is among the newest has been read with them.
        if newest[0] <= reached < newly:
            reached = min(planned[-1] + PART, newly)
        self.position = reached
        self.newest = min(newly, _floor(self._log.size))

    def went_on(self, state: LogAudit, *, over: bool) -> None:
        """Put down in the row how far the round is; `over`: it has come round."""
        if over:
            state.rounded_us = state.round_us = now_us()
        state.position, state.newest = 0 if over else self.position, self.newest

    def _read_all(self, read: log_audit_crew.Read, firsts: list[int], until: float, reached: int = 0) -> int:
        """Read neighbouring parts until the time is over; where the next one would begin."""
        if not firsts:
            return reached
        joined = _after(firsts[0], self._log.published)
        for part, found in read(log_audit_part.parts(self._log, firsts[0], firsts[-1] + 1)):
            self.part = part.first
            self._lease.progress(self.entries, 0, f"reading entry {part.first:,} of {self._log.size:,}")
            joined.add(part, found)
            self.entries += found.read
            reached = part.first + PART
            if time.monotonic() >= until:
                break
        joined.finish()
        self.part = None
        return reached


def _after(first: int, published: int) -> Joined:
    """What parts from `first` on follow: by the tiles, as far as there are any."""
    if first > published:
        return Joined(first, None)
    try:
        return Joined(first, log_audit_tree.before(first, log_hashes.reader(published)))
    except (LineageError, LookupError, ValueError) as error:
        raise LogIntegrityError(
            f"the tiles before entry {first} can't be read: {type(error).__name__}: {error}"
        ) from None
