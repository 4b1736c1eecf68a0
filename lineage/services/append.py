"""Append verified statements to the log: dense indexes, one transaction for many callers.

Owns: who commits for whom. Does not own: what is written (`log_batch`), verification (`intake`, `decide`),
checkpoints (`publish`), the graph (`project`). A call that returns has made its entries durable.

**Group commit.** Callers queue; the one that leads writes everything that waits, and what has come while it
waited for the head lock, which another process may hold. Under load one fsync then carries many entries;
alone, a caller pays for its own.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock

from django.db import Error as DatabaseFailure

from lineage import tracing
from lineage.db import room
from lineage.db.bulk import COPY_ROWS
from lineage.errors import LineageError, StorageFullError, UnavailableError
from lineage.services import head_memory, high_water, log_connection, wake
from lineage.services.log_batch import Appended, Outcome, Prepared, begin

logger = logging.getLogger(__name__)

MAX_TRANSACTION_ENTRIES = 1000


def _locked() -> Lock:
    lock = Lock()
    lock.acquire()
    return lock


@dataclass(eq=False, slots=True)
class _Ticket:
    """One caller's statements. `turn` is locked until they are written, or until this caller is to lead."""

    prepared: Sequence[Prepared]
    outcomes: list[Outcome] = field(default_factory=list)
    failure: LineageError | None = None
    done: bool = False
    turn: Lock = field(default_factory=_locked)


class _Line:
    """Callers in order. One of them leads: it writes what waits, wakes whom it wrote for, hands the lead on.

    Nobody but the next leader is woken without being done, so no caller waits behind another's wake-up.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[_Ticket] = deque()
        self._led = False

    def write(self, ticket: _Ticket) -> None:
        """Return once the ticket is done, by this caller or another."""
        with self._lock:
            self._waiting.append(ticket)
            leads, self._led = not self._led, True
        if not leads:
            ticket.turn.acquire()
            leads = not ticket.done
        if leads:
            try:
                _commit(self._take)
            finally:
                self._hand_on()

    def _take(self, room: int) -> list[_Ticket]:
        """What has waited longest, at most `room` entries. No ticket alone has more than one transaction."""
        tickets: list[_Ticket] = []
        with self._lock:
            while self._waiting and len(self._waiting[0].prepared) <= room:
                tickets.append(self._waiting.popleft())
                room -= len(tickets[-1].prepared)
        return tickets

    def _hand_on(self) -> None:
        with self._lock:
            self._led = bool(self._waiting)
            if self._led:
                self._waiting[0].turn.release()


_line = _Line()


def append(prepared: Sequence[Prepared]) -> list[Outcome]:
    """Append in order; one outcome each, an error for those that may not be said (any more).

    Raises: UnavailableError where the database could not commit; nothing of this call is then promised,
        though it may have been written: sending the same bytes again is safe. RollbackError where the log
        lacks what it had published.
    """
    outcomes: list[Outcome] = []
    # Nothing enters a log that was rolled back but the decision by which it goes on.
    heals = bool(prepared) and all(each.heals is not None for each in prepared)
    if not heals:
        refuse_rolled_back()
    log_connection.hand_back()
    for start in range(0, len(prepared), MAX_TRANSACTION_ENTRIES):
        ticket = _Ticket(prepared[start : start + MAX_TRANSACTION_ENTRIES])
        with tracing.span("lineage.append", entries=len(ticket.prepared)):
            _line.write(ticket)
        if ticket.failure:
            raise ticket.failure
        outcomes += ticket.outcomes
    if heals:
        high_water.forget()
    return outcomes


def refuse_rolled_back() -> None:
    """Raises: RollbackError where the log lacks what it had published; UnavailableError if none answers."""
    try:
        high_water.refuse()
    except DatabaseFailure as error:
        logger.error("The log could not be read: %s: %s", type(error).__name__, error)
        raise UnavailableError("The log could not be read.", hint="Send it again.") from error


def _commit(take: Callable[[int], list[_Ticket]]) -> None:
    """Write what `take` gives in one transaction and tell each ticket what came of it."""
    tickets = take(MAX_TRANSACTION_ENTRIES)  # the leader's own is the first
    digests = _digests(tickets)
    failure: LineageError | None = UnavailableError("The log could not be written.", hint="Send it again.")
    try:
        with log_connection.transaction(len(digests) < COPY_ROWS) as (database, wire):
            batch = begin(database, digests, wire)
            head_memory.confirm(batch.head)
            if late := take(MAX_TRANSACTION_ENTRIES - len(digests)):
                tickets += late
                batch.look_for(_digests(late))
            outcomes = batch.add_all([ticket.prepared for ticket in tickets])
            batch.write()
        head_memory.saw(batch.head)
        head_memory.signers().update(batch.signers)
        head_memory.predicate_types().update(batch.predicate_types)
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            ticket.outcomes = outcome
        failure = None
        wake.soon()
    except DatabaseFailure as error:
        logger.error("The log could not be written: %s: %s", type(error).__name__, error)
        head_memory.forget_listed()
        if room.none_left(error):
            failure = StorageFullError()
    except LineageError as error:
        failure = error
    finally:
        for ticket in tickets:
            ticket.failure, ticket.done = failure, True
            ticket.turn.release()


def _digests(tickets: Sequence[_Ticket]) -> list[str]:
    return [prepared.envelope_digest for ticket in tickets for prepared in ticket.prepared]


def raise_first(outcomes: Sequence[Outcome]) -> Appended:
    """The only outcome of a single statement, raised where it is an error."""
    (outcome,) = outcomes
    if isinstance(outcome, LineageError):
        raise outcome
    return outcome
