"""`lineage log audit`: the whole log read again, and the first thing that is wrong with it.

Bytes → digest → statement → leaf → signatures → what the signers might say → rows that searches go by, for
each entry; over them every tile, the root, every checkpoint with its signature. Nothing that this process
remembers is believed: key rings are made again from the decisions.

It shows that the log agrees with itself and with its signatures. A log that whoever holds its key wrote anew
from the beginning agrees with itself too: that is found by a witness, or by a checkpoint kept elsewhere.

Owns: the order of work and the report. Does not own: the graph, which `graph_check` compares with the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from lineage.db.models import Entry, Envelope, LogHead
from lineage.errors import LineageError, LogIntegrityError, MalformedError
from lineage.services import forgetting, keyring, log_audit_entries, publish
from lineage.services.log_audit_entries import Entries
from lineage.services.log_audit_tree import Tree
from lineage.services.log_keys import LogKeys

Report = Callable[[int, int], None]
"""Called with entries done and in all."""
_REPORT_EVERY = 250
_LEAVES = 10_000


class AuditReport(msgspec.Struct, frozen=True):
    """What came of an audit.

    Attributes:
        start: entries from this index on were read whole; of those before, their leaves alone.
        size: entries below it were read.
        read: entries that were found right with everything that belongs to them.
        redacted: of them, those whose envelopes a decision took away: their leaves alone could be read.
        published: entries that a checkpoint covers; `checkpoints` of them were verified.
        root_hash: over all entries, hex; "" where something is wrong.
        wrong: the first thing that is wrong, as a sentence; "" where nothing is.
    """

    start: int
    size: int
    read: int
    redacted: int
    published: int
    checkpoints: int
    root_hash: str
    wrong: str

    def sentence(self) -> str:
        """What came of it, in a line."""
        if self.wrong:
            return f"The log is damaged: {self.wrong}."
        whole = f"{self.read:,} of {_entries(self.size)}" if self.start else _entries(self.size)
        gone = f"; of {self.redacted:,} the bytes were redacted" if self.redacted else ""
        under = (
            f"{self.published:,} under {self.checkpoints:,} checkpoints, each signed by a key of the log"
            if self.published
            else "none under a checkpoint yet"
        )
        return f"The log agrees with itself: {whole} read with their signatures{gone}; {under}."


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def audit(*, start: int = 0, report: Report | None = None) -> AuditReport:
    """Read the log again, entries from index `start` on with their envelopes.

    Damage is no error: the report names the first that was found.

    Raises: MalformedError for a start beyond the log; LogHead.DoesNotExist before it began.
    """
    head = LogHead.objects.get(pk=1)
    if not 0 <= start <= head.size:
        raise MalformedError(
            f"The log has {head.size} entries; an audit can't begin at {start}.", where="from"
        )
    keyring.forget()
    forgetting.forget()
    entries = Entries(head, start)
    tree = Tree(_keys(head))
    done, wrong, root = 0, "", ""
    try:
        for leaf in _stored(start):
            tree.add(leaf)
        for leaf in entries.leaves():
            tree.add(leaf)
            done += 1
            if report and done % _REPORT_EVERY == 0:
                report(start + done, head.size)
        tree.finish()
        _nothing_beside(head, entries.redacted if start == 0 else None)
        root = tree.root().hex()
    except LogIntegrityError as error:
        wrong = error.message.removeprefix("The log is damaged: ").rstrip(".")
    finally:
        # What was folded from altered rows is not to be believed after they have been put right.
        keyring.forget()
        forgetting.forget()
    return AuditReport(
        start=start,
        size=head.size,
        read=done,
        redacted=entries.redacted,
        published=tree.published,
        checkpoints=tree.checkpoints,
        root_hash=root,
        wrong=wrong,
    )


def _keys(head: LogHead) -> LogKeys | LineageError:
    """The log's keys; why they can't be told where a decision is damaged, which is named when it is read."""
    try:
        return LogKeys(head.origin, log_audit_entries.ring(head.origin, head.policy_index))
    except LineageError as error:
        return error


def _stored(end: int) -> Iterator[bytes]:
    """The leaf hashes of the entries below `end`, as they are stored: checkpoints bear on them."""
    for first in range(0, end, _LEAVES):
        place, last = first, min(end, first + _LEAVES)
        for index, digest in publish.leaf_hashes(first, last):
            if index != place:
                break
            yield digest
            place += 1
        if place != last:
            raise LogIntegrityError(f"entry {place} is missing from the log")


def _nothing_beside(head: LogHead, redacted: int | None) -> None:
    """That the tables hold nothing that the head does not know, nor the head what they don't hold.

    Entries and head are written together, so what is counted first is never ahead of what is asked then.
    `redacted`: how many entries have no envelope; None where not all were read.
    """
    last = Entry.objects.get(pk=head.size - 1)
    if last.received_us != head.last_received_us:
        raise LogIntegrityError("the log's head says another time than its last entry")
    if head.policy_index not in {max(last.policy_index, 0), last.index}:
        raise LogIntegrityError("the log's head names another newest decision about keys")
    top = Entry.objects.order_by("-index").values_list("index", flat=True).first() or 0
    envelopes = Envelope.objects.count()
    size = LogHead.objects.values_list("size", flat=True).get(pk=1)
    if top >= size:
        raise LogIntegrityError(f"there is an entry {top}, but the log's head says {size} entries")
    if redacted is not None and envelopes > size - redacted:
        raise LogIntegrityError("there are more stored envelopes than entries")
