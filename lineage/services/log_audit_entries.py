"""Entries of the log read again: each against its envelope, its signatures, and what its signers might say.

Owns: what must hold of one entry by itself, and of it beside the one before. Does not own: the tree over the
leaves and the checkpoints (`log_audit_tree`), or the report (`log_audit`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from django.core.exceptions import ObjectDoesNotExist

from lineage.db.models import Entry, EntrySigner, EntrySubject, Envelope, LogHead
from lineage.errors import LineageError, LogIntegrityError
from lineage.services import entry_signers, intake, keyring, records, redactions
from lineage.services.log_batch import subject_rows
from lineage.services.log_text import indexed
from lineage.trust import statement
from lineage.trust.digest import sha256_hex
from lineage.trust.merkle import leaf_hash
from lineage.trust.opened import Opened, open_signed
from lineage.trust.policy import KeyRing

ROWS = 500
"""Entries of which all rows are in memory at a time."""
_OWN_ROLES = {
    Entry.Kind.DECISION.value: ("platform", "root"),
    Entry.Kind.OBSERVATION.value: ("collector", "reverifier", "platform"),
}


class Entries:
    """Reads entries in order, from `start`; `redacted` counts those whose envelopes a decision took away."""

    def __init__(self, head: LogHead, start: int) -> None:
        self._head = head
        self._start = start
        self._before: Entry | None = Entry.objects.filter(pk=start - 1).first() if start else None
        self.redacted = 0

    def leaves(self) -> Iterator[bytes]:
        """The leaf hash of each entry from `start` on, made again from what the entry says.

        Raises: LogIntegrityError at the first that is wrong, which it names.
        """
        for first in range(self._start, self._head.size, ROWS):
            end = min(first + ROWS, self._head.size)
            rows = list(Entry.objects.filter(index__gte=first, index__lt=end).order_by("index"))
            found = _Rows(first, end, rows)
            for place, entry in enumerate(rows):
                if entry.index != first + place:
                    raise LogIntegrityError(f"entry {first + place} is missing from the log")
                yield self._checked(entry, found)
            if len(rows) != end - first:
                raise LogIntegrityError(f"entry {first + len(rows)} is missing from the log")

    def _checked(self, entry: Entry, found: _Rows) -> bytes:
        self._in_order(entry)
        self._before = entry
        leaf = leaf_of(entry)
        if leaf != bytes(entry.leaf_hash):
            raise LogIntegrityError(
                f"the fields of entry {entry.index} are not those that its leaf commits to"
            )
        content = found.contents.get(entry.envelope_digest)
        if content is None:
            if entry.envelope_digest not in found.redacted:
                raise LogIntegrityError(
                    f"the envelope of entry {entry.index} is missing, and no decision redacted it"
                )
            self.redacted += 1
            return leaf
        _envelope(entry, content, self._ring(entry), found)
        return leaf

    def _ring(self, entry: Entry) -> KeyRing:
        """What was decided of keys when the entry was judged; entry 0 brings its own."""
        return ring(self._head.origin, max(entry.policy_index, 0))

    def _in_order(self, entry: Entry) -> None:
        before = self._before
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


def ring(origin: str, policy_index: int) -> KeyRing:
    """As `keyring.by_policy`, of a log that may be damaged. Raises: LogIntegrityError."""
    try:
        return keyring.by_policy(origin, policy_index)
    except (LineageError, ObjectDoesNotExist) as error:
        raise LogIntegrityError(
            f"the decisions about keys up to entry {policy_index} can't be read: {error}"
        ) from None


class _Rows:
    """Everything that the tables hold of the entries from `first` to before `end`."""

    def __init__(self, first: int, end: int, entries: Sequence[Entry]) -> None:
        digests = [entry.envelope_digest for entry in entries]
        try:
            self.contents = _contents(digests)
        except LogIntegrityError:  # one of them can't be unpacked: which?
            self.contents = {}
            for entry in entries:
                try:
                    self.contents |= _contents([entry.envelope_digest])
                except LogIntegrityError as error:
                    raise LogIntegrityError(f"entry {entry.index}: {error.message}") from None
        gone = [digest for digest in digests if digest not in self.contents]
        self.redacted = redactions.among(gone) if gone else {}
        self.subjects: dict[int, set[tuple[object, ...]]] = defaultdict(set)
        within = {"entry_id__gte": first, "entry_id__lt": end}
        for row in EntrySubject.objects.filter(**within).values_list(
            "entry_id", "position", "digest", "name"
        ):
            self.subjects[row[0]].add(row)
        self.signers: dict[int, set[str]] = defaultdict(set)
        for index, signer in EntrySigner.objects.filter(**within).values_list("entry_id", "key_id"):
            self.signers[index].add(signer)


def _contents(digests: Sequence[str]) -> dict[str, bytes]:
    rows = Envelope.objects.filter(pk__in=digests).values_list("pk", "content")
    return {digest: bytes(content) for digest, content in rows}


def leaf_of(entry: Entry) -> bytes:
    """The leaf hash that the entry's fields make. Raises: LogIntegrityError where they can't stand in one."""
    try:
        return leaf_hash(records.leaf(entry).encode())
    except (LineageError, OverflowError) as error:
        raise LogIntegrityError(f"entry {entry.index} can't be a leaf: {error}") from None


def _envelope(entry: Entry, content: bytes, ring: KeyRing, found: _Rows) -> None:
    """Bytes, statement, signatures, what the signers might say, and the rows that searches go by."""
    index = entry.index
    if sha256_hex(content) != entry.envelope_digest:
        raise LogIntegrityError(f"the envelope of entry {index} is not the one that the log names")
    try:
        opened = open_signed(content)
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
    if found.subjects.get(index, set()) != set(subject_rows(index, said)):
        raise LogIntegrityError(f"entry {index} is listed under other subjects than it has")
    if found.signers.get(index, set()) != set(signers):
        raise LogIntegrityError(f"entry {index} is listed under other signers than it has")


def _signers(entry: Entry, opened: Opened, ring: KeyRing) -> tuple[str, ...]:
    """Who signed it and was known; the leaf names exactly the keys that verify."""
    signed = entry_signers.find(opened, ring)
    if ",".join(signed.key_ids) != entry.key_ids:
        raise LogIntegrityError(f"entry {entry.index} was not signed by the keys that its leaf names")
    return entry_signers.at(signed.signers, signed.vouched, entry.received_us)


def _might_say(entry: Entry, said: statement.Statement, signers: Sequence[str], ring: KeyRing) -> None:
    """Whether what was decided of the signers by then let one of them say it."""
    own = _OWN_ROLES.get(entry.kind)
    if own is None:
        intake.judge(intake.claims(said, signers), signers, ring, entry.received_us)
        return
    roles = {ring.keys[signer].role for signer in signers if ring.in_force(signer, entry.received_us) is None}
    if not roles & set(own):
        raise LogIntegrityError(
            f"entry {entry.index}, {entry.kind}, is not signed by a key of the platform that may sign such"
        )
