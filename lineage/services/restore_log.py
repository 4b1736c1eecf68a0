"""The log's rows from an archive: each entry is checked against its own envelope as it is stored.

Owns: entries, envelopes, the search indexes over them (made again from the envelopes), the head. Does not
own: the tree over the entries and who signed it (`restore_tree`), the transaction (`restore`).
"""

from __future__ import annotations

import msgspec
from django.db import IntegrityError, connection

from lineage.db import bulk, entry_rows, signer_rows
from lineage.db.bulk import Row
from lineage.db.digest_fields import packed
from lineage.db.models import LogHead, Redaction
from lineage.db.packing import pack
from lineage.errors import ConflictError, LogIntegrityError, MalformedError, TooLargeError
from lineage.services import entry_signers, forgetting, keyring, log_leaves, redactable
from lineage.services.backup_format import EntryRow, Head
from lineage.services.clock import now_us
from lineage.services.log_batch import ENVELOPES, SUBJECTS, subject_rows
from lineage.services.log_text import indexed
from lineage.trust import statement
from lineage.trust.opened import open_signed

_ENTRY = msgspec.json.Decoder(EntryRow)
_FLUSH_ROWS = 1000
_FLUSH_BYTES = 16 << 20
_NO_ENTRY = (MalformedError, TooLargeError)


def begin(head: Head) -> None:
    """The head first: whoever would begin another log meanwhile waits for this row, and finds it.

    Raises: ConflictError where another log was begun.
    """
    try:
        LogHead.objects.create(
            pk=1,
            origin=head.origin,
            size=head.size,
            last_received_us=head.last_received_us,
            policy_index=head.policy_index,
        )
    except IntegrityError:
        raise ConflictError("Another log was begun in this database meanwhile.") from None


class Entries:
    """Entries on their way into the tables. Call `add` in log order, `finish` once."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._next = 0
        self._received_us = 0
        self._policy_index = -1
        self._redacted: dict[str, int] = {}
        self._clear()

    def _clear(self) -> None:
        self._rows: list[entry_rows.Row] = []
        self._envelopes: list[Row] = []
        self._subjects: list[Row] = []
        self._signers: list[signer_rows.Row] = []
        self._bytes = 0

    def add(self, line: bytes) -> None:
        """One entry. Raises: MalformedError for a line that is none, LogIntegrityError where it can't be."""
        row = _decode(line, self._next)
        leaf = log_leaves.leaf_hash(row, self._next)
        self._check_order(row)
        self._received_us, self._policy_index = row.received_us, row.policy_index
        said = None if row.content is None else _said(row)
        left = row.left
        assert said is not None or left is not None  # or it were no leaf
        self._rows.append(
            entry_rows.row(
                row.index,
                row.kind,
                row.envelope_digest,
                row.statement_digest,
                row.received_us,
                row.key_ids.split(","),
                row.policy_index,
                leaf,
                indexed(said.predicate_type if said else left.predicate_type if left else ""),
            )
        )
        if said is not None and row.content is not None:
            self._envelopes.append((row.index, pack(row.content)))
            self._subjects += subject_rows(row.index, said)
            self._signers += ((row.index, signer) for signer in self._signed(row))
        elif left is not None:
            self._redacted[row.envelope_digest] = row.index
            self._subjects += ((row.index, place, packed(digest), "") for place, digest in left.subjects)
            self._signers += ((row.index, signer) for signer in left.signers)
        self._next += 1
        self._bytes += len(row.content or b"")
        if len(self._rows) >= _FLUSH_ROWS or self._bytes >= _FLUSH_BYTES:
            self._flush()

    def _signed(self, row: EntryRow) -> tuple[str, ...]:
        """The keys and identities that signed; the ring that judged them is made from the rows before."""
        key_ids = tuple(row.key_ids.split(","))
        if row.content is None or not open_signed(row.content).certificates:
            return key_ids
        self._flush()
        ring = keyring.by_policy(self._head.origin, row.policy_index)
        return entry_signers.again(row.content, key_ids, ring, row.received_us)

    def _check_order(self, row: EntryRow) -> None:
        if row.received_us < self._received_us:
            raise LogIntegrityError(f"entry {row.index} was received before the one it follows")
        newest = (-1,) if row.index == 0 else (self._policy_index, row.index - 1)
        if row.policy_index not in newest or (row.index == 1 and row.policy_index != 0):
            raise LogIntegrityError(f"entry {row.index} names another newest decision about keys")

    def _flush(self) -> None:
        bulk.insert(connection, ENVELOPES, self._envelopes)
        entry_rows.insert(connection, self._rows)
        bulk.insert(connection, SUBJECTS, self._subjects)
        signer_rows.insert(connection, self._signers)
        self._clear()

    def finish(self) -> None:
        """Raises: LogIntegrityError where the head says otherwise."""
        self._flush()
        head = self._head
        if self._next != head.size:
            raise LogIntegrityError(f"the log's head says {head.size} entries; {self._next} are there")
        if head.last_received_us != self._received_us:
            raise LogIntegrityError("the log's head says another time than its last entry")
        if head.policy_index not in {max(self._policy_index, 0), head.size - 1}:
            raise LogIntegrityError("the log's head names another newest decision about keys")
        self._record_redactions()

    def _record_redactions(self) -> None:
        """Rows for what is redacted, by the restored log's own decisions.

        Raises: LogIntegrityError for an envelope that is missing without one that might take it away.
        """
        if not self._redacted:
            return
        forgetting.forget()
        decided, at_us = redactable.taken(self._redacted), now_us()
        for digest, index in self._redacted.items():
            if digest not in decided:
                raise LogIntegrityError(
                    f"the envelope of entry {index} is missing, and no decision of the log redacted it"
                )
        rows = (
            Redaction(envelope_digest=digest, entry_index=decided[digest], done_us=at_us)
            for digest in self._redacted
        )
        Redaction.objects.bulk_create(rows, batch_size=_FLUSH_ROWS)


def _said(row: EntryRow) -> statement.Statement:
    assert row.content is not None
    try:
        envelope = open_signed(row.content).envelope
        said = statement.parse(envelope.payload_type, envelope.payload)
    except _NO_ENTRY as error:
        raise LogIntegrityError(f"entry {row.index} holds no statement: {error.message}") from None
    if said.digest != row.statement_digest:
        raise LogIntegrityError(f"the statement of entry {row.index} is not the one that the log names")
    return said


def _decode(line: bytes, place: int) -> EntryRow:
    try:
        return _ENTRY.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedError(f"The row of entry {place} is not as it should be: {error}.") from None
