"""The rows of one transaction that appends: indexes, times, leaves, and what is in the log already.

Owns: everything that happens under the head lock. Does not own: who commits for whom (`append`), or
verification. Raw SQL, because this runs for every request and the ORM costs several times what it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from django.db.backends.base.base import BaseDatabaseWrapper

from lineage.db import bulk, entry_rows, signer_rows
from lineage.db.bulk import Row, Table
from lineage.db.digest_fields import key_text, packed
from lineage.db.models import Entry, LogHead
from lineage.db.packing import pack
from lineage.errors import LineageError
from lineage.predicates.wire import clean
from lineage.services import entry_signers, head_memory, keyring
from lineage.services.clock import now_us
from lineage.services.job_fence import Fence, JobStep
from lineage.services.log_text import indexed
from lineage.trust.certified import Certified
from lineage.trust.leaf import Leaf
from lineage.trust.merkle import leaf_hash
from lineage.trust.policy import KeyRing
from lineage.trust.statement import Statement

if TYPE_CHECKING:
    from lineage.db.wire import Wire

_HEAD = "SELECT origin, size, last_received_us, policy_index FROM log_head WHERE id = 1"
_KNOWN = 'SELECT envelope_digest, "index", received_us, key_ids FROM log_entry WHERE envelope_digest '
_KNOWN_ONE = _KNOWN + "= ?"
_KNOWN_SQLITE = _KNOWN + "IN (SELECT substr(?1, 1 + 32 * key, 32) FROM json_each(?2))"  # noqa: S608 our own text
_KNOWN_POSTGRESQL = _KNOWN + "= ANY(%b::bytea[])"
_AT = 'SELECT received_us, key_ids FROM log_entry WHERE "index" = %s'
_MOVE = "UPDATE log_head SET size = %s, last_received_us = %s, policy_index = %s WHERE id = 1"
_MOVE_SQLITE = _MOVE.replace("%s", "?")

ENVELOPES = Table("log_envelope", (("entry_id", "int8"), ("content", "bytea")))
SUBJECTS = Table(
    "log_entry_subject", (("entry_id", "int8"), ("position", "int4"), ("digest", "bytea"), ("name", "text"))
)


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A verified statement that wants to be an entry. A struct, made for each of a set: a tenth of the time.

    Attributes:
        kind: attestation, observation or decision.
        envelope: the exact bytes; `envelope_digest` is their hex SHA-256.
        key_ids: every key that mathematically verified under the ring of `policy_index`, sorted.
        signers: the registered keys and identities among them; empty: all are keys, and registered.
        vouched: by identity's id, the certificates that stand for it, which may be over by log time.
        judge: raises NotAllowedError or KeyNotValidError where no key may say this at that time (µs).
        renew: makes this anew under another ring; called when keys changed since it was verified.
        changes_policy: whether this decision registers or revokes a key, adopts a policy or begins an epoch.
        job: the step of a job that this is; written under the job's lease or not at all.
        heals: the published checkpoint (origin, size, root) that this decision gives up as lost, None for all
            others: only such a decision enters a log that lacks what it had published.
        payload_at: where in the envelope the base64 of the statement's payload begins, standard and padded;
            0: not known.
        packed: the envelope as it is stored, whatever is given: made by whoever prepares, not under the
            head lock.
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
    job: JobStep | None = None
    signers: tuple[str, ...] = ()
    vouched: Mapping[str, Sequence[Certified]] = msgspec.field(default_factory=dict)
    heals: tuple[str, int, bytes] | None = None
    payload_at: int = 0
    packed: bytes = b""

    def __post_init__(self) -> None:
        packed = pack(self.envelope, self.statement.payload, self.payload_at)
        msgspec.structs.force_setattr(self, "packed", packed)


class Appended(msgspec.Struct, frozen=True, gc=False):
    """Where the statement is in the log, and the keys that its leaf names.

    `created` is False where the same bytes were there before.
    """

    index: int
    received_us: int
    key_ids: tuple[str, ...]
    created: bool


Outcome = Appended | LineageError


def begin(database: BaseDatabaseWrapper, digests: Sequence[str], wire: Wire | None = None) -> Batch:
    """Lock the head, and look for the envelopes with these digests that are in the log already.

    By a wire both questions are one round trip. PostgreSQL looks at the second one with what others have
    committed while the first waited for the lock, because each statement sees the database anew.
    Raises: LogHead.DoesNotExist before the first start.
    """
    if wire is not None:
        with database.wrap_database_errors:
            wire.send(_HEAD + " FOR UPDATE", rows=True)
            wire.send(_KNOWN_POSTGRESQL, [wire.array("bytea", _bytes(digests))], rows=True)
            heads, found = wire.received()
        return Batch(_head(heads[0] if heads else None), database, found, wire)
    if database.vendor == "sqlite":
        with database.wrap_database_errors:
            row = bulk.driver(database).execute(_HEAD).fetchone()
        return Batch(_head(row), database, _known(database, digests))
    with (
        database.wrap_database_errors,
        closing(_cursor(database)) as head,
        closing(_cursor(database)) as known,
    ):
        head.execute(_HEAD + " FOR UPDATE")
        known.execute(_KNOWN_POSTGRESQL, [_bytes(digests)])
        return Batch(_head(head.fetchone()), database, known.fetchall())


def _known(database: BaseDatabaseWrapper, digests: Sequence[str]) -> list[Row]:
    """What the log has of envelopes with these digests: digest, index, µs, key ids."""
    found = _bytes(digests)
    rows: list[Row]
    if database.vendor == "sqlite":
        raw = bulk.driver(database)
        with database.wrap_database_errors:
            if len(found) == 1:
                rows = raw.execute(_KNOWN_ONE, found).fetchall()
            else:
                places = f"[0{',0' * (len(found) - 1)}]"
                rows = raw.execute(_KNOWN_SQLITE, [b"".join(found), places]).fetchall()
        return rows
    with database.wrap_database_errors, closing(_cursor(database)) as cursor:
        cursor.execute(_KNOWN_POSTGRESQL, [found])
        rows = cursor.fetchall()
    return rows


def _bytes(digests: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(digest) for digest in digests]


def _cursor(database: BaseDatabaseWrapper) -> Any:
    """PostgreSQL's driver's own: the framework's costs more than what it is asked for here.

    Its statements are prepared and parameters bound by the server.
    """
    from psycopg import Cursor

    return Cursor(bulk.driver(database))


@dataclass(slots=True)
class Head:
    """The head's row as it is under the lock; the framework's object of it costs as much as reading it."""

    origin: str
    size: int
    last_received_us: int
    policy_index: int


def _head(row: tuple[str, int, int, int] | None) -> Head:
    if row is None:
        raise LogHead.DoesNotExist
    return Head(*row)


def subject_rows(index: int, statement: Statement) -> Iterator[Row]:
    """The index over what entry `index` is about, in the order of the columns of `SUBJECTS`."""
    for position, subject in enumerate(statement.subjects):
        for algorithm, value in subject.digests.items():
            yield (index, position, packed(indexed(f"{algorithm}:{value}")), clean(subject.name))


def _keys(stored: bytes) -> tuple[str, ...]:
    return tuple(key_text(stored).split(","))


class Batch:
    """The rows of one transaction, under the head lock that the caller holds.

    `known` are rows (envelope digest, index, µs, key ids) of what the log has of this batch already.
    """

    def __init__(
        self,
        head: Head | LogHead,
        database: BaseDatabaseWrapper,
        known: Iterable[Row] = (),
        wire: Wire | None = None,
    ) -> None:
        self._head = head
        self._database = database
        self._wire = wire
        self._entries: list[entry_rows.Row] = []
        self._envelopes: list[Row] = []
        self._subjects: list[Row] = []
        self._signers: list[signer_rows.Row] = []
        self._known: dict[str, Appended] = {}
        self._have(known)
        self._ring = keyring.by_policy(head.origin, head.policy_index)
        self._fence = Fence(database)

    @property
    def head(self) -> Head | LogHead:
        """As it was read under the lock, moved on by what was added."""
        return self._head

    def look_for(self, digests: Sequence[str]) -> None:
        """What was not asked for when the batch began may be in the log too."""
        if self._wire is None:
            self._have(_known(self._database, digests))
            return
        with self._database.wrap_database_errors:
            self._wire.send(_KNOWN_POSTGRESQL, [self._wire.array("bytea", _bytes(digests))], rows=True)
            (found,) = self._wire.received()
        self._have(found)

    def _have(self, known: Iterable[Row]) -> None:
        for digest, index, received, keys in known:
            self._known[digest.hex()] = Appended(index, received, _keys(keys), created=False)

    def add_all(self, groups: Sequence[Sequence[Prepared]]) -> list[list[Outcome]]:
        """The outcomes of each group, in order."""
        return [[self._add(p) for p in group] for group in groups]

    def _add(self, prepared: Prepared) -> Outcome:
        if prepared.job is None:
            return self._add_statement(prepared)
        try:
            index = self._fence.known(prepared.job)
        except LineageError as error:
            return error
        outcome = self._add_statement(prepared) if index is None else self._at(index)
        if isinstance(outcome, Appended):
            self._fence.record(prepared.job, outcome.index)
        return outcome

    def _at(self, index: int) -> Appended:
        """An entry that the log, or this batch, has already."""
        for known in self._known.values():
            if known.index == index:
                return known
        with self._database.cursor() as cursor:
            cursor.execute(_AT, [index])
            received, keys = cursor.fetchone()
        return Appended(index, received, _keys(keys), created=False)

    def _add_statement(self, prepared: Prepared) -> Outcome:
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
        index, kind, statement = head.size, prepared.kind.value, prepared.statement
        said = (
            kind,
            prepared.envelope_digest,
            statement.digest,
            received,
            prepared.key_ids,
            head.policy_index,
        )
        hashed = leaf_hash(Leaf(*said).encode())
        self._entries.append(entry_rows.row(index, *said, hashed, indexed(statement.predicate_type)))
        self._envelopes.append((index, prepared.packed))
        self._subjects += subject_rows(index, statement)
        for signer in entry_signers.at(prepared.signers or prepared.key_ids, prepared.vouched, received):
            self._signers.append((index, signer))
        head.size = index + 1
        head.last_received_us = received
        if prepared.changes_policy:
            self._adopt(index, prepared, received)
        appended = Appended(index, received, prepared.key_ids, created=True)
        self._known[prepared.envelope_digest] = Appended(index, received, prepared.key_ids, created=False)
        return appended

    def _adopt(self, index: int, prepared: Prepared, received: int) -> None:
        """Later statements of this batch are judged by the decision that has just become entry `index`."""
        self._head.policy_index = index
        self._ring = keyring.fold(self._ring, index, prepared.envelope, received)

    @property
    def signers(self) -> set[str]:
        """Who signed what was added: they are listed once it is committed."""
        return {signer for _, signer in self._signers}

    @property
    def predicate_types(self) -> set[str]:
        """What was added has these; they are listed once it is committed."""
        return entry_rows.types(self._entries)

    def write(self) -> None:
        """Everything that was added, and the head moved on; nothing where all was known.

        By a wire it is only sent: the commit behind it says whether it was done."""
        if not self._entries:
            return
        head, database, wire = self._head, self._database, self._wire
        if wire is not None:
            with database.wrap_database_errors:
                wire.insert(ENVELOPES, self._envelopes)
                entry_rows.send(wire, self._entries, head_memory.predicate_types())
                wire.insert(SUBJECTS, self._subjects)
                signer_rows.send(wire, self._signers, head_memory.signers())
                wire.send(_MOVE, [head.size, head.last_received_us, head.policy_index])
            return
        bulk.insert(database, ENVELOPES, self._envelopes)
        entry_rows.insert(database, self._entries, head_memory.predicate_types())
        bulk.insert(database, SUBJECTS, self._subjects)
        signer_rows.insert(database, self._signers, head_memory.signers())
        moved = (head.size, head.last_received_us, head.policy_index)
        with database.wrap_database_errors:
            if database.vendor == "sqlite":
                bulk.driver(database).execute(_MOVE_SQLITE, moved)
                return
            with closing(_cursor(database)) as cursor:
                cursor.execute(_MOVE, moved)
