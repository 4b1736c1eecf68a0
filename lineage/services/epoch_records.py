"""The log's epochs for people: when each began, by whom, why, and what was given up. Reads only."""

from __future__ import annotations

import msgspec

from lineage.db.models import LogHead
from lineage.services import decision_records, keyring
from lineage.trust import epoch_decisions
from lineage.trust import epochs as names
from lineage.trust.believed import fallen
from lineage.trust.leaf import parse_rfc3339


class EpochRecord(msgspec.Struct, frozen=True):
    """An epoch after the first.

    Attributes:
        number, name: what checkpoints of more than `from_size` entries carry.
        from_size: entries that were kept, and the index of the decision, whose envelope `digest` names
            (`sha256:…`).
        lost_origin, lost_size, lost_root, lost_note: the published checkpoint that was given up, root in hex.
        disowned: the platform's key was stolen when it was decided, as the offline root said later.
    """

    number: int
    name: str
    from_size: int
    digest: str
    received_at: str
    person: str
    approver: str
    reason: str
    lost_origin: str
    lost_size: int
    lost_root: str
    lost_note: str
    disowned: bool

    @property
    def at_us(self) -> int:
        """When the decision entered the log, µs since the epoch."""
        return parse_rfc3339(self.received_at)

    @property
    def lost_entries(self) -> int:
        """How many published entries are missing; 0: others stand in their place."""
        return max(0, self.lost_size - self.from_size)

    def sentence(self) -> str:
        """What happened, in a line or two."""
        what = (
            f"published entries were lost ({self.lost_entries:,}, from entry {self.from_size:,} on)"
            if self.lost_entries
            else f"published entries were lost ({self.lost_size:,}, which had begun otherwise)"
        )
        by = f"{self.person}, approved by {self.approver}" if self.approver else self.person
        words = f"Epoch {self.number} began at {self.received_at}: {what}. Decided by {by}: {self.reason}"
        return f"{words} (The key that signed this was stolen.)" if self.disowned else words


def history(size: int | None = None) -> tuple[EpochRecord, ...]:
    """The epochs whose decisions are among the first `size` entries (None: all), newest first."""
    head = LogHead.objects.filter(pk=1).first()
    if head is None:
        return ()
    ring = keyring.by_policy(head.origin, head.policy_index)
    found = [each for each in ring.epochs if size is None or each.from_size < size]
    gone = {each.index for each in fallen(ring)} if found else set()
    return tuple(
        _record(head, each.number, each.from_size, each.from_size in gone) for each in reversed(found)
    )


def _record(head: LogHead, number: int, index: int, disowned: bool) -> EpochRecord:
    decided = decision_records.one(index)
    body = epoch_decisions.read_body(bytes(decided.body))
    return EpochRecord(
        number=number,
        name=names.name(head.origin, number),
        from_size=index,
        digest=decided.digest,
        received_at=decided.received_at,
        person=decided.person,
        approver=decided.approver,
        reason=body.reason,
        lost_origin=body.lost.origin,
        lost_size=body.lost.size,
        lost_root=body.lost.root,
        lost_note=body.lost.note,
        disowned=disowned,
    )
