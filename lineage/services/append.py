"""Append verified statements to the log: dense indexes, one transaction for many callers.

Owns: the head lock, `received_at`, leaves, idempotence. Does not own: verification (`intake`, `decide`),
checkpoints (`publish`), the graph (`project`). A call that returns has made its entries durable.

**Group commit.** Callers queue; the one that leads writes everything that waits. Under load one fsync then
carries many entries; alone, a caller pays for its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from lineage.db.models import Entry, LogHead
from lineage.errors import LineageError, UnavailableError
from lineage.services import keyring, log_connection
from lineage.services.clock import now_us
from lineage.trust.leaf import Leaf
from lineage.trust.merkle import leaf_hash
from lineage.trust.policy import KeyRing
from lineage.trust.statement import Statement

MAX_TRANSACTION_ENTRIES = 1000
_LOOKUP_CHUNK = 500

# Raw SQL, because these run for every request and the ORM costs several times what they do.
_HEAD = "SELECT origin, size, last_received_us, policy_index FROM log_head WHERE id = 1"
_INSERT_ENVELOPES = "INSERT INTO log_envelope (digest, content) VALUES "
_INSERT_ENTRIES = (
    'INSERT INTO log_entry ("index", kind, envelope_digest, statement_digest, received_us,'
    " key_ids, policy_index, leaf_hash, predicate_type) VALUES "
)
_INSERT_SUBJECTS = "INSERT INTO log_entry_subject (entry_id, position, digest, name) VALUES "
_INSERT_SIGNERS = "INSERT INTO log_entry_signer (entry_id, key_id) VALUES "
_INSERT_CHUNK = 500
_KNOWN = 'SELECT envelope_digest, "index", received_us, key_ids FROM log_entry WHERE envelope_digest IN ({})'


@dataclass(frozen=True, slots=True)
class Prepared:
    """A verified statement that wants to be an entry.

    Attributes:
        kind: attestation, observation or decision.
        envelope: the exact bytes; `envelope_digest` is their hex SHA-256.
        key_ids: every key that mathematically verified under the ring of `policy_index`, sorted.
        judge: raises NotAllowedError or KeyNotValidError where no key may say this at that time (µs).
        renew: makes this anew under another ring; called when keys changed since it was verified.
        changes_policy: whether this decision registers or revokes a key or adopts a policy.
    """

    kind: Entry.Kind
    envelope: bytes
    envelope_digest: str
    statement: Statement
    key_ids: tuple[str, ...]
    policy_index: int
    judge: Callable[[KeyRing, int], None]
    renew: Callable[[KeyRing], Prepared]
    changes_policy: bool = False


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the statement is in the log, and the keys that its leaf names.

    `created` is False where the same bytes were there before.
    """

    index: int
    received_us: int
    key_ids: tuple[str, ...]
    created: bool


Outcome = Appended | LineageError
Row = tuple[str | int | bytes, ...]


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
                _commit(self._take())
            finally:
                self._hand_on()

    def _take(self) -> list[_Ticket]:
        """What has waited longest, up to one transaction's worth; the leader's own is the first."""
        tickets: list[_Ticket] = []
        room = MAX_TRANSACTION_ENTRIES
        with self._lock:
            while self._waiting and (not tickets or len(self._waiting[0].prepared) <= room):
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
        though it may have been written: sending the same bytes again is safe.
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(prepared), MAX_TRANSACTION_ENTRIES):
        ticket = _Ticket(prepared[start : start + MAX_TRANSACTION_ENTRIES])
        _line.write(ticket)
        if ticket.failure:
            raise ticket.failure
        outcomes += ticket.outcomes
    return outcomes


def _commit(tickets: Sequence[_Ticket]) -> None:
    """Write the tickets in one transaction and tell each what came of it."""
    failure: LineageError | None = UnavailableError("The log could not be written.", hint="Send it again.")
    try:
        with log_connection.transaction() as database:
            batch = Batch(lock_head(database), database)
            outcomes = batch.add_all([ticket.prepared for ticket in tickets])
            batch.write()
        for ticket, outcome in zip(tickets, outcomes, strict=True):
            ticket.outcomes = outcome
        failure = None
    except DatabaseError as error:
        failure = UnavailableError(f"The log could not be written: {error}", hint="Send it again.")
    except LineageError as error:
        failure = error
    finally:
        for ticket in tickets:
            ticket.failure, ticket.done = failure, True
            ticket.turn.release()


def lock_head(database: BaseDatabaseWrapper) -> LogHead:
    """The head row, locked until the caller's transaction ends (SQLite's lock is the whole database's).

    Raises: LogHead.DoesNotExist before the first start.
    """
    suffix = " FOR UPDATE" if database.features.has_select_for_update else ""
    with database.cursor() as cursor:
        cursor.execute(_HEAD + suffix)
        row = cursor.fetchone()
    if row is None:
        raise LogHead.DoesNotExist
    origin, size, received, policy_index = row
    return LogHead(id=1, origin=origin, size=size, last_received_us=received, policy_index=policy_index)


class Batch:
    """The rows of one transaction, under the head lock that the caller holds."""

    def __init__(self, head: LogHead, database: BaseDatabaseWrapper) -> None:
        self._head = head
        self._database = database
        self._entries: list[Row] = []
        self._envelopes: list[Row] = []
        self._subjects: list[Row] = []
        self._signers: list[Row] = []
        self._known: dict[str, Appended] = {}
        self._ring = keyring.by_policy(head.origin, head.policy_index)

    def add_all(self, groups: Sequence[Sequence[Prepared]]) -> list[list[Outcome]]:
        """The outcomes of each group, in order."""
        self._find_known([p.envelope_digest for group in groups for p in group])
        return [[self._add(p) for p in group] for group in groups]

    def _find_known(self, digests: Sequence[str]) -> None:
        with self._database.cursor() as cursor:
            for start in range(0, len(digests), _LOOKUP_CHUNK):
                chunk = digests[start : start + _LOOKUP_CHUNK]
                cursor.execute(_KNOWN.format(", ".join(["%s"] * len(chunk))), chunk)
                for digest, index, received, keys in cursor.fetchall():
                    self._known[digest] = Appended(index, received, tuple(keys.split(",")), created=False)

    def _add(self, prepared: Prepared) -> Outcome:
        known = self._known.get(prepared.envelope_digest)
        if known:
            return known
        received = max(now_us(), self._head.last_received_us)
        try:
            if prepared.policy_index != self._ring.policy_index:
                prepared = prepared.renew(self._ring)
            prepared.judge(self._ring, received)
        except LineageError as error:
            return error
        return self._add_entry(prepared, received)

    def _add_entry(self, prepared: Prepared, received: int) -> Appended:
        head = self._head
        index = head.size
        leaf = Leaf(
            prepared.kind.value,
            prepared.envelope_digest,
            prepared.statement.digest,
            received,
            prepared.key_ids,
            head.policy_index,
        )
        self._entries.append(
            (
                index,
                prepared.kind.value,
                prepared.envelope_digest,
                prepared.statement.digest,
                received,
                ",".join(prepared.key_ids),
                head.policy_index,
                leaf_hash(leaf.encode()),
                prepared.statement.predicate_type,
            )
        )
        self._envelopes.append((prepared.envelope_digest, prepared.envelope))
        self._index_subjects(index, prepared.statement)
        self._signers += ((index, key_id) for key_id in prepared.key_ids)
        head.size = index + 1
        head.last_received_us = received
        if prepared.changes_policy:
            self._adopt(index, prepared, received)
        appended = Appended(index, received, prepared.key_ids, created=True)
        self._known[prepared.envelope_digest] = replace(appended, created=False)
        return appended

    def _index_subjects(self, index: int, statement: Statement) -> None:
        for position, subject in enumerate(statement.subjects):
            for algorithm, value in subject.digests.items():
                self._subjects.append((index, position, f"{algorithm}:{value}", subject.name))

    def _adopt(self, index: int, prepared: Prepared, received: int) -> None:
        """Later statements of this batch are judged by the decision that has just become entry `index`."""
        self._head.policy_index = index
        self._ring = keyring.fold(self._ring, index, prepared.envelope, received)

    def write(self) -> None:
        head = self._head
        with self._database.cursor() as cursor:
            _insert(cursor, _INSERT_ENVELOPES, self._envelopes)
            _insert(cursor, _INSERT_ENTRIES, self._entries)
            _insert(cursor, _INSERT_SUBJECTS, self._subjects)
            _insert(cursor, _INSERT_SIGNERS, self._signers)
            cursor.execute(
                "UPDATE log_head SET size = %s, last_received_us = %s, policy_index = %s WHERE id = 1",
                [head.size, head.last_received_us, head.policy_index],
            )


def _insert(cursor: CursorWrapper, insert: str, rows: Sequence[Row]) -> None:
    """Many rows a statement: each call gives other threads their turn, and the head lock waits meanwhile."""
    for start in range(0, len(rows), _INSERT_CHUNK):
        chunk = rows[start : start + _INSERT_CHUNK]
        row = "(" + ", ".join(["%s"] * len(chunk[0])) + ")"
        cursor.execute(
            insert + ", ".join([row] * len(chunk)), [value for values in chunk for value in values]
        )


def raise_first(outcomes: Sequence[Outcome]) -> Appended:
    """The only outcome of a single statement, raised where it is an error."""
    (outcome,) = outcomes
    if isinstance(outcome, LineageError):
        raise outcome
    return outcome
