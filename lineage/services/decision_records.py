"""The decisions in the log, for reading: who decided what, when, in which entry. Does not own: deciding."""

from __future__ import annotations

import msgspec

from lineage.db.models import Entry, Envelope
from lineage.errors import MalformedError, NotFoundError
from lineage.services.as_of import AsOf
from lineage.services.records import log_size
from lineage.trust import decisions, dsse, statement
from lineage.trust.leaf import rfc3339


class DecisionSubject(msgspec.Struct, frozen=True):
    """What a decision is about; `digest` is its digest set."""

    name: str
    digest: dict[str, str]


class DecisionRecord(msgspec.Struct, frozen=True):
    """`digest` names the entry's envelope, `sha256:<hex>`; `body` is as the action gives it.

    `approver` is the second person where two were needed, else empty.
    """

    digest: str
    index: int
    received_at: str
    action: str
    person: str
    decided_at: str
    subjects: tuple[DecisionSubject, ...]
    body: msgspec.Raw
    approver: str = ""


class DecisionPage(msgspec.Struct, frozen=True):
    """Newest first; `next` is the cursor of the following page."""

    tree_size: int
    decisions: list[DecisionRecord]
    next: str | None


def listed(as_of: AsOf, *, after: int | None = None, limit: int = 100) -> DecisionPage:
    """Decisions below the tree size, newest first; `after` is an index, the last one of the page before."""
    size = log_size(as_of)
    end = size if after is None else min(size, after)
    rows = Entry.objects.filter(kind=Entry.Kind.DECISION, index__lt=end).order_by("-index")
    entries = list(rows[: limit + 1])
    contents = dict(
        Envelope.objects.filter(pk__in=[entry.index for entry in entries]).values_list("pk", "content")
    )
    records = [_record(entry, bytes(contents[entry.index])) for entry in entries[:limit]]
    return DecisionPage(size, records, str(entries[limit - 1].index) if len(entries) > limit else None)


def one(index: int) -> DecisionRecord:
    """The decision that is log entry `index`. Raises: NotFoundError where that is none."""
    entry = Entry.objects.filter(kind=Entry.Kind.DECISION, index=index).first()
    content = Envelope.objects.filter(pk=entry.index).first() if entry else None
    if entry is None or content is None:
        raise NotFoundError(f"Entry {index} is no decision.")
    return _record(entry, bytes(content.content))


def _record(entry: Entry, content: bytes) -> DecisionRecord:
    envelope = dsse.parse(content)
    parsed = statement.parse(envelope.payload_type, envelope.payload)
    try:
        decision = decisions.parse(parsed)
    except MalformedError:
        decision = decisions.Decision("unreadable", "", "", b"{}")
    return DecisionRecord(
        digest=f"sha256:{entry.envelope_digest}",
        index=entry.index,
        received_at=rfc3339(entry.received_us),
        action=decision.action,
        person=decision.person,
        decided_at=decision.decided_at,
        subjects=tuple(DecisionSubject(s.name, dict(s.digests)) for s in parsed.subjects),
        body=msgspec.Raw(decision.body),
        approver=decision.approver,
    )
