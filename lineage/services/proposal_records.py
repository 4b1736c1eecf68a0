"""Proposals for reading: what would be decided, who proposed it, what became of it."""

from __future__ import annotations

import msgspec

from lineage.db.models import Proposal
from lineage.services import approvals
from lineage.services.clock import now_us
from lineage.services.decision_records import DecisionSubject
from lineage.trust import decisions, dsse, statement
from lineage.trust.leaf import rfc3339


class ProposalRecord(msgspec.Struct, frozen=True):
    """A proposed decision. `state` is open, deciding, approved, rejected or expired.

    `role` is the least that who approves must hold; `index` the log entry that the decision became.
    """

    id: int
    state: str
    action: str
    subjects: tuple[DecisionSubject, ...]
    body: msgspec.Raw
    person: str
    role: str
    proposed_at: str
    expires_at: str
    decided_by: str
    decided_at: str | None
    reason: str
    index: int | None


class ProposalPage(msgspec.Struct, frozen=True):
    """Newest first; `next` is the cursor of the following page."""

    proposals: list[ProposalRecord]
    next: str | None


def listed(*, state: str = "", after: int | None = None, limit: int = 100) -> ProposalPage:
    """Newest first; `state` `open` leaves those that wait, `after` is the number of the last one before."""
    rows = approvals.open_now(now_us()) if state == "open" else Proposal.objects.all()
    if after is not None:
        rows = rows.filter(pk__lt=after)
    found = list(rows.order_by("-pk")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return ProposalPage([record(row) for row in found], str(found[-1].pk) if more else None)


def record(row: Proposal) -> ProposalRecord:
    parsed = statement.parse(dsse.INTOTO_PAYLOAD_TYPE, bytes(row.payload))
    decision = decisions.parse(parsed)
    waits = row.state in (Proposal.State.OPEN, Proposal.State.DECIDING)
    return ProposalRecord(
        id=row.pk,
        state="expired" if waits and row.ends_us <= now_us() else row.state,
        action=decision.action,
        subjects=tuple(DecisionSubject(subject.name, dict(subject.digests)) for subject in parsed.subjects),
        body=msgspec.Raw(decision.body),
        person=row.person,
        role=row.role,
        proposed_at=rfc3339(row.created_us),
        expires_at=rfc3339(row.ends_us),
        decided_by=row.decided_by,
        decided_at=rfc3339(row.decided_us) if row.decided_us else None,
        reason=row.reason,
        index=row.entry_index,
    )
