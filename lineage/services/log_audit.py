"""`lineage log audit`: the whole log read again, and the first thing that is wrong with it.

Bytes → digest → statement → leaf → signatures → what the signers might say → rows that searches go by, for
each entry; over them every tile, every checkpoint with its signature and its cosignatures, the root. Nothing
that this process remembers is believed: key rings are made again from the decisions.

It shows that the log agrees with itself and with its signatures. A log that whoever holds its key wrote anew
from the beginning agrees with itself too: that is found by a witness, or by a checkpoint kept elsewhere, of
which the high-water file is one.

Owns: the order of work and the report. Does not own: what is read in one part of the log (`log_audit_part`),
the processes that read parts (`log_audit_crew`), the schedule (`log_audit_round`), or the graph, which
`graph_check` compares with the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from lineage.db.models import LogHead
from lineage.errors import LogIntegrityError, MalformedError
from lineage.services import (
    forgetting,
    high_water,
    keyring,
    log_audit_beside,
    log_audit_crew,
    log_audit_part,
    publish,
)
from lineage.services.log_audit_part import Joined, Log

Report = Callable[[int, int], None]
"""Called with entries done and in all."""


class AuditReport(msgspec.Struct, frozen=True):
    """What came of an audit.

    Attributes:
        start: entries from this index on were read whole; of those before, their leaves alone.
        size: entries below it were read.
        read: entries that were found right with everything that belongs to them.
        redacted: of them, those whose envelopes a decision took away: their leaves alone could be read.
        published: entries that a checkpoint covers; `checkpoints` of them were verified.
        cosignatures: of witnesses, that were verified; `strangers`: those that could not be, because the
            witness is configured no more.
        root_hash: over all entries, hex; "" where something is wrong.
        wrong: the first thing that is wrong, as a sentence; "" where nothing is.
        wrong_part: entry that the part begins with in which that is; None: beside the entries, or nothing is.
    """

    start: int
    size: int
    read: int
    redacted: int
    published: int
    checkpoints: int
    cosignatures: int
    strangers: int
    root_hash: str
    wrong: str
    wrong_part: int | None

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
        seen = f"; {self.cosignatures:,} cosignatures of witnesses" if self.cosignatures else ""
        unknown = (
            f"; {self.strangers:,} cosignatures could not be verified: their witness is not configured"
            if self.strangers
            else ""
        )
        return (
            f"The log agrees with itself: {whole} read with their signatures{gone}; {under}{seen}{unknown}."
        )


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def audit(*, start: int = 0, jobs: int = 1, report: Report | None = None) -> AuditReport:
    """Read the log again, entries from index `start` on with their envelopes, by `jobs` processes at once.

    Damage is no error: the report names the first that was found.

    Raises: MalformedError for a start beyond the log; UnavailableError where a process that read ended before
        it had told what it found; LogHead.DoesNotExist before the log began.
    """
    head = LogHead.objects.get(pk=1)
    if not 0 <= start <= head.size:
        raise MalformedError(
            f"The log has {head.size} entries; an audit can't begin at {start}.", where="from"
        )
    published = min(publish.published_size(), head.size)
    log = Log(head.origin, head.policy_index, head.size, published, start)
    joined, wrong, root, part = Joined(), "", "", None
    with nothing_believed():
        try:
            _join(log, joined, jobs, report)
            log_audit_beside.check(head)
            _holds_high_water()
            root = joined.root().hex()
        except LogIntegrityError as error:
            wrong, part = words(error), joined.part
    return AuditReport(
        start=start,
        size=head.size,
        read=joined.read,
        redacted=joined.redacted,
        published=log.published,
        checkpoints=joined.checkpoints,
        cosignatures=joined.cosignatures,
        strangers=joined.strangers,
        root_hash=root,
        wrong=wrong,
        wrong_part=part,
    )


def _join(log: Log, joined: Joined, jobs: int, report: Report | None) -> None:
    """Every part, in order. Raises: LogIntegrityError at the first that is wrong."""
    parts = log_audit_part.parts(log)
    with log_audit_crew.reading(jobs, log.size) as read:
        for part, found in read(parts):
            joined.add(part, found)
            if report:
                report(part.end, log.size)
    joined.finish()


def _holds_high_water() -> None:
    """That the log holds the checkpoint in the high-water file: all that are stored fit the leaves by now."""
    if found := high_water.look():
        raise LogIntegrityError(found.words)


def words(error: LogIntegrityError) -> str:
    """What is wrong, without the words that every such error begins with."""
    return error.message.removeprefix("The log is damaged: ").rstrip(".")


@contextmanager
def nothing_believed() -> Iterator[None]:
    """What this process remembers of decisions is read again; nor is what was read believed afterwards.

    What was folded from altered rows is not to be believed after they have been put right.
    """
    keyring.forget()
    forgetting.forget()
    try:
        yield
    finally:
        keyring.forget()
        forgetting.forget()
