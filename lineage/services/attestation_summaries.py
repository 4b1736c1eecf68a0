"""An entry in short: what it is, about what, by whom, and whether it is believed.

Owns: making the summary, of an entry whose bytes are gone too. Does not own: lists of them (`records`).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

import msgspec

from lineage import predicates
from lineage.db.models import Entry, EntrySubject
from lineage.errors import LogIntegrityError
from lineage.graph import sql_nodes
from lineage.graph.model import artifact_key
from lineage.services import entry_signers, receipts, redactions, trust_cutoffs, withdrawals
from lineage.services.attestation_records import AttestationSummary, SubjectRecord
from lineage.services.entry_view import View
from lineage.trust import statement
from lineage.trust.leaf import rfc3339
from lineage.trust.opened import open_signed


def listed(entry: Entry, content: bytes | None, view: View) -> AttestationSummary:
    """As a list shows it: the first three subjects. `content`: its envelope; None where that is not there."""
    if content is None:
        return bare(entry, redactions.of(entry.envelope_digest), view, most_subjects=3)
    parsed_envelope = open_signed(content).envelope
    parsed = statement.parse(parsed_envelope.payload_type, parsed_envelope.payload)
    return summary(entry, parsed, view, most_subjects=3)


def summary(
    entry: Entry, parsed: statement.Statement, view: View, *, most_subjects: int | None = None
) -> AttestationSummary:
    """Of an entry whose bytes are there; `most_subjects`: no more than these, None: all."""
    subjects = tuple(
        SubjectRecord(s.name, dict(s.digests), artifact_key(s.digests) or "")
        for s in parsed.subjects[:most_subjects]
    )
    trust = withdrawals.trust_among(entry, parsed, view.ring, view.withdrawn)
    return _told(entry, view, parsed.predicate_type, subjects, len(parsed.subjects), trust)


def bare(
    entry: Entry, gone: redactions.Redacted | None, view: View, *, most_subjects: int | None = None
) -> AttestationSummary:
    """What is left of a redacted entry. Raises: LogIntegrityError where no decision took its bytes away."""
    if gone is None:
        raise LogIntegrityError(f"the envelope of entry {entry.index} is missing")
    kept = _kept_subjects(entry)
    told = _told(entry, view, entry.predicate_type, kept[:most_subjects], len(kept), trust_cutoffs.REVOKED)
    return msgspec.structs.replace(told, redacted=redactions.record(gone))


def _told(
    entry: Entry,
    view: View,
    predicate_type: str,
    subjects: tuple[SubjectRecord, ...],
    subject_count: int,
    trust: str,
) -> AttestationSummary:
    digest = f"sha256:{entry.envelope_digest}"
    known = predicates.find(predicate_type)
    return AttestationSummary(
        digest=digest,
        statement=f"sha256:{entry.statement_digest}",
        index=entry.index,
        kind=entry.kind,
        state=receipts.state(entry.index, view.published),
        received_at=rfc3339(entry.received_us),
        predicate_type=predicate_type,
        title=known.title if known else predicate_type,
        subjects=subjects,
        subject_count=subject_count,
        signers=tuple(
            receipts.ReceiptSigner(signer, view.ring.keys[signer].name)
            for signer in entry_signers.of_entry(entry, view.ring)
        ),
        trust=trust,
        links=receipts.links(digest),
    )


def _kept_subjects(entry: Entry) -> tuple[SubjectRecord, ...]:
    """The digests that the index still has, by their place in the statement."""
    found: dict[int, dict[str, str]] = {}
    rows = EntrySubject.objects.filter(entry=entry).order_by("position").values_list("position", "digest")
    for position, digest in rows:
        algorithm, _, value = digest.partition(":")
        found.setdefault(position, {})[algorithm] = value
    return tuple(SubjectRecord("", digests, artifact_key(digests) or "") for digests in found.values())


def linked(found: Sequence[AttestationSummary], projected: int) -> list[AttestationSummary]:
    """Without the keys of what is no node: some types' subjects are commits, people, or a fingerprint.

    What the graph has not followed yet, from entry `projected` on, keeps them.
    """
    nodes = sql_nodes.rows_of({subject.key for one in found for subject in one.subjects if subject.key})
    return [
        msgspec.structs.replace(one, subjects=_known(one.subjects, nodes)) if one.index < projected else one
        for one in found
    ]


def _known(subjects: Iterable[SubjectRecord], nodes: Container[str]) -> tuple[SubjectRecord, ...]:
    return tuple(each if each.key in nodes else msgspec.structs.replace(each, key="") for each in subjects)
