"""The rows of one transaction that appends: indexes, times, leaves, and what is in the log already.

Owns: everything that happens under the head lock. Does not own: who commits for whom (`append`), or
verification. Raw SQL, because this runs for every request and the ORM costs several times what it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from lineage.db.models import Entry, LogHead
from lineage.errors import LineageError
from lineage.services import keyring
from lineage.services.clock import now_us
from lineage.trust.leaf import Leaf
from lineage.trust.merkle import leaf_hash
from lineage.trust.policy import KeyRing
from lineage.trust.statement import Statement

_LOOKUP_CHUNK = 500

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
