"""Entries of the log read again: each against its envelope, its signatures, and what its signers might say.

Owns: what must hold of one entry by itself, and of it beside the one before. Does not own: the tree over the
leaves and the checkpoints (`log_audit_tree`), or the order of parts (`log_audit_part`). Raw SQL, because each
entry of a large log passes here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection

from lineage.db import entry_reads, prepared
from lineage.db.digest_fields import key_text
from lineage.db.models import Entry
from lineage.db.numbered_fields import kind_text
from lineage.db.packing import opened as unpacked
from lineage.errors import LineageError, LogIntegrityError
from lineage.services import entry_signers, intake, keyring, redactable, redactions
from lineage.services.log_batch import subject_rows
from lineage.services.log_text import indexed
from lineage.trust import identities, statement
from lineage.trust.digest import sha256_hex
from lineage.trust.leaf import Leaf
from lineage.trust.merkle import leaf_hash
from lineage.trust.opened import Opened, open_signed
from lineage.trust.policy import KeyRing

ROWS = 128
"""Entries of which all rows are in memory at a time."""
BYTES = 16 << 20
_OWN_ROLES = {
    Entry.Kind.DECISION.value: ("platform", "root"),
    Entry.Kind.OBSERVATION.value: ("collector", "reverifier", "platform"),
}
_READ = (
    f"SELECT {entry_reads.COLUMNS}, v.content FROM log_entry e"  # noqa: S608 our own text
    ' LEFT JOIN log_envelope v ON v.entry_id = e."index" WHERE e."index" >= %s AND e."index" < %s'
    ' ORDER BY e."index"'
)
_LENGTHS = (
    'SELECT e."index", length(v.content) FROM log_entry e JOIN log_envelope v ON v.entry_id = e."index"'
    ' WHERE e."index" >= %s AND e."index" < %s'
)
_SUBJECTS = (
    "SELECT entry_id, position, digest, name FROM log_entry_subject WHERE entry_id >= %s AND entry_id < %s"
)
_SIGNERS = (
    "SELECT e.entry_id, s.key_id FROM log_entry_signer e LEFT JOIN log_signer s ON s.id = e.signer_id"
    " WHERE e.entry_id >= %s AND e.entry_id < %s"
)
_SEAM = 'SELECT "index", kind, received_us, policy_index FROM log_entry WHERE "index" = %s'
_TYPES = (int, int, bytes, bytes, int, bytes, int, bytes, str)


class Row(msgspec.Struct, frozen=True, gc=False):
    """An entry's row as it is stored, and its envelope's; `content` is None where that is missing."""

    index: int
    kind: str
    envelope_digest: str
    statement_digest: str
    received_us: int
    key_ids: str
    policy_index: int
    leaf_hash: bytes
    predicate_type: str
    content: bytes | None


class Seam(msgspec.Struct, frozen=True):
    """Of an entry what the next one's place depends on."""

    index: int
    kind: str
    received_us: int
    policy_index: int


class Entries:
    """Reads the entries from `first` to before `end` whole, in order.

    `before` is the entry that the first one follows, `last` the last one that was read; None: none.
    `redacted` counts those whose envelopes a decision took away.
    """

    def __init__(self, origin: str, first: int, end: int) -> None:
        self.first = first
        self._end = end
        self._origin = origin
        self.before = _seam(first - 1) if first else None
        self.last = self.before
        self.read = self.redacted = 0

    def leaves(self) -> Iterator[bytes]:
        """The leaf hash of each entry, made again from what the entry says.

        Raises: LogIntegrityError at the first that is wrong, which it names.
        """
        if self.first and self.before is None and self.first < self._end:
            raise LogIntegrityError(f"entry {self.first - 1} is missing from the log")
        for first, end in _batches(self.first, self._end):
            found = _Rows(first, end)
            for place, entry in enumerate(found.entries):
                if entry.index != first + place:
                    raise LogIntegrityError(f"entry {first + place} is missing from the log")
                yield self._checked(entry, found)
                self.read += 1
            if len(found.entries) != found.end - first:
                raise LogIntegrityError(f"entry {first + len(found.entries)} is missing from the log")

    def _checked(self, entry: Row, found: _Rows) -> bytes:
        self._in_order(entry)
        self.last = Seam(entry.index, entry.kind, entry.received_us, entry.policy_index)
        leaf = leaf_of(entry)
        if leaf != entry.leaf_hash:
            raise LogIntegrityError(
                f"the fields of entry {entry.index} are not those that its leaf commits to"
            )
        if entry.content is None:
            if entry.envelope_digest not in found.redacted():
                raise LogIntegrityError(
                    f"the envelope of entry {entry.index} is missing, and no decision redacted it"
                )
            _left(entry, ring(self._origin, max(entry.policy_index, 0)), found)
            self.redacted += 1
            return leaf
        _envelope(entry, entry.content, ring(self._origin, max(entry.policy_index, 0)), found)
        return leaf

    def _in_order(self, entry: Row) -> None:
        """Where it names the newest decision about keys, it is judged by that; entry 0 brings its own."""
        before = self.last
        if before is None:
            fits = entry.index == 0 and entry.policy_index == -1
        else:
            newest = {max(before.policy_index, 0)}
            if before.kind == Entry.Kind.DECISION:
                newest.add(before.index)
            fits = entry.policy_index in newest
            if entry.received_us < before.received_us:
                raise LogIntegrityError(f"entry {entry.index} was received before the one that it follows")
        if not fits:
            raise LogIntegrityError(f"entry {entry.index} names another newest decision about keys")


def _seam(index: int) -> Seam | None:
    with connection.cursor() as cursor:
        cursor.execute(_SEAM, [index])
        row = cursor.fetchone()
    if row is None:
        return None
    if tuple(map(type, row)) != (int, int, int, int):
        raise LogIntegrityError(f"entry {index} holds what no entry can")
    _, kind, received_us, policy_index = row
    return Seam(index, _kind(index, kind), received_us, policy_index)


def _kind(index: int, stored: int) -> str:
    try:
        return kind_text(stored)
    except LogIntegrityError:
        raise LogIntegrityError(f"entry {index} holds what no entry can") from None


def ring(origin: str, policy_index: int) -> KeyRing:
    """As `keyring.by_policy`, of a log that may be damaged. Raises: LogIntegrityError."""
    try:
        return keyring.by_policy(origin, policy_index)
    except (LineageError, ObjectDoesNotExist) as error:
        raise LogIntegrityError(
            f"the decisions about keys up to entry {policy_index} can't be read: {error}"
        ) from None


def _batches(first: int, end: int) -> Iterator[tuple[int, int]]:
    """Entries to read at a time: at most `ROWS`, and no more than `BYTES` of packed envelopes if they can."""
    with connection.cursor() as cursor:
        cursor.execute(_LENGTHS, [first, end])
        lengths = dict(cursor.fetchall())
    begin, total = first, 0
    for index in range(first, end):
        length = lengths.get(index, 0)
        if index > begin and (index - begin == ROWS or total + length > BYTES):
            yield begin, index
            begin, total = index, 0
        total += length
    if begin < end:
        yield begin, end


class _Rows:
    """Everything that the tables hold of the entries from `first` to before `end`."""

    def __init__(self, first: int, end: int) -> None:
        self.end = end
        self.subjects: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        self.signers: dict[int, list[str]] = defaultdict(list)
        asked = (first, end)
        self.entries = [_row(row) for row in prepared.fetch(_READ, asked, size=end)]
        for row in prepared.fetch(_SUBJECTS, asked, size=end):
            self.subjects[row[0]].append(tuple(row))
        for index, signer in prepared.fetch(_SIGNERS, asked, size=end):
            self.signers[index].append(signer)
        self._redacted: frozenset[str] | None = None

    def redacted(self) -> frozenset[str]:
        """Digests of these entries' envelopes that a decision took away, and might take away."""
        if self._redacted is None:
            gone = [entry.envelope_digest for entry in self.entries if entry.content is None]
            told = redactions.among(gone)
            good = redactable.taken(told, {each.index for each in told.values()})
            # Older restores named the first decision about it, which a hold may have kept from being done.
            self._redacted = frozenset(good | redactable.taken(told.keys() - good.keys()))
        return self._redacted


def _row(found: Sequence[Any]) -> Row:
    """Raises: LogIntegrityError for what the columns can't hold: SQLite takes anything in any of them."""
    *fields, content = found
    if tuple(map(type, fields)) != _TYPES or type(content) not in (bytes, type(None)):
        raise LogIntegrityError(f"entry {found[0]} holds what no entry can")
    index, kind, envelope, statement, received_us, key_ids, policy_index, leaf, predicate_type = fields
    keys = key_text(key_ids) if key_ids and len(key_ids) % 32 == 0 else ""
    return Row(
        index,
        _kind(index, kind),
        envelope.hex(),
        statement.hex(),
        received_us,
        keys,
        policy_index,
        leaf,
        predicate_type,
        content,
    )


def leaf_of(entry: Row) -> bytes:
    """The leaf hash that the entry's fields make. Raises: LogIntegrityError where they can't stand in one."""
    try:
        leaf = Leaf(
            entry.kind,
            entry.envelope_digest,
            entry.statement_digest,
            entry.received_us,
            tuple(entry.key_ids.split(",")),
            entry.policy_index,
        )
        return leaf_hash(leaf.encode())
    except (LineageError, OverflowError) as error:
        raise LogIntegrityError(f"entry {entry.index} can't be a leaf: {error}") from None


def _envelope(entry: Row, stored: bytes, ring: KeyRing, found: _Rows) -> None:
    """Bytes, statement, signatures, what the signers might say, and the rows that searches go by."""
    index = entry.index
    try:
        content, start, payload = unpacked(stored)
    except LogIntegrityError as error:
        raise LogIntegrityError(f"entry {index}: {error.message}") from None
    if sha256_hex(content) != entry.envelope_digest:
        raise LogIntegrityError(f"the envelope of entry {index} is not the one that the log names")
    try:
        opened = open_signed(content, start=start, payload=payload)
        said = statement.parse(opened.envelope.payload_type, opened.envelope.payload)
        signers = _signers(entry, opened, ring)
        _might_say(entry, said, signers, ring)
    except LogIntegrityError:
        raise
    except LineageError as error:
        raise LogIntegrityError(f"entry {index}: {error.message}") from None
    if said.digest != entry.statement_digest:
        raise LogIntegrityError(f"the statement of entry {index} is not the one that the log names")
    if indexed(said.predicate_type) != entry.predicate_type:
        raise LogIntegrityError(f"entry {index} is listed under another predicate type than it has")
    if not _same(found.subjects.get(index, []), list(subject_rows(index, said))):
        raise LogIntegrityError(f"entry {index} is listed under other subjects than it has")
    if not _same(found.signers.get(index, []), list(signers)):
        raise LogIntegrityError(f"entry {index} is listed under other signers than it has")


def _left(entry: Row, ring: KeyRing, found: _Rows) -> None:
    """Who signed it, as far as the leaf tells: each registered key. Only others stand for identities."""
    listed = found.signers.get(entry.index, [])
    keys = [signer for signer in listed if not f"{signer}".startswith(identities.PREFIX)]
    signed = set(entry.key_ids.split(","))
    registered = signed & ring.keys.keys()
    if Counter(keys) != Counter(registered) or (len(keys) < len(listed) and registered == signed):
        raise LogIntegrityError(f"entry {entry.index} is listed under other signers than it has")


def _same(stored: list[Any], made: list[Any]) -> bool:
    """Whether they are the same rows, each as often, in whatever order."""
    return stored == made or Counter(stored) == Counter(made)


def _signers(entry: Row, opened: Opened, ring: KeyRing) -> tuple[str, ...]:
    """Who signed it and was known; the leaf names exactly the keys that verify."""
    signed = entry_signers.find(opened, ring)
    if ",".join(signed.key_ids) != entry.key_ids:
        raise LogIntegrityError(f"entry {entry.index} was not signed by the keys that its leaf names")
    return entry_signers.at(signed.signers, signed.vouched, entry.received_us)


def _might_say(entry: Row, said: statement.Statement, signers: Sequence[str], ring: KeyRing) -> None:
    """Whether what was decided of the signers by then let one of them say it."""
    own = _OWN_ROLES.get(entry.kind)
    in_force = [signer for signer in signers if ring.in_force(signer, entry.received_us) is None]
    if own is None:
        if any(ring.keys[signer].role != "pipeline" for signer in signers):
            raise LogIntegrityError(f"entry {entry.index}, {entry.kind}, is signed by a key of the platform")
        # What it claims matters to nobody who may say anything, and costs half a signature's verification.
        if not any(ring.keys[signer].scopes.any for signer in in_force):
            intake.judge(intake.claims_under(ring, said, signers), signers, ring, entry.received_us)
        return
    if not {ring.keys[signer].role for signer in in_force} & set(own):
        raise LogIntegrityError(
            f"entry {entry.index}, {entry.kind}, is not signed by a key of the platform that may sign such"
        )
