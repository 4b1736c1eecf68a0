"""What the log holds about one attestation, or a list of them: the record behind a page and a receipt.

Signatures are verified again at each reading, over the stored bytes, so a page never repeats an old answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from django.db.models import Q, QuerySet

from lineage import predicates
from lineage.db.models import (
    Checkpoint,
    Entry,
    EntrySubject,
    Envelope,
    ProjectionState,
    Redaction,
    SkippedEntry,
)
from lineage.errors import LineageError, LogIntegrityError, MalformedError, NotFoundError
from lineage.graph import sql_nodes
from lineage.graph.model import artifact_key
from lineage.services import entry_signers, keyring, receipts, redactions, trust_cutoffs, withdrawals
from lineage.services.as_of import AsOf
from lineage.services.intake import claims
from lineage.services.log_text import indexed
from lineage.trust import identities, statement, verify
from lineage.trust.leaf import Leaf, rfc3339
from lineage.trust.opened import Opened, open_signed
from lineage.trust.policy import Claimed, KeyRing, Scopes

PAGE = 50


def log_size(as_of: AsOf) -> int:
    """The entries that exist at a moment: those that the graph has not followed yet too."""
    return as_of.head if as_of.live else as_of.size


@dataclass(frozen=True, slots=True)
class _View:
    """What all records of one answer share: the keys known then, and how much of the log was published."""

    ring: KeyRing
    published: int
    size: int

    @classmethod
    def at(cls, as_of: AsOf) -> _View:
        size = log_size(as_of)
        newest = Checkpoint.objects.filter(size__lte=size).order_by("-size")
        return cls(keyring.as_of(size), newest.values_list("size", flat=True).first() or 0, size)


class SubjectRecord(msgspec.Struct, frozen=True):
    """A subject as signed; `key` is the node that it names, empty where it names none."""

    name: str
    digest: dict[str, str]
    key: str


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A registered key as it was judged for one entry, at log time, and as it is now (`…_now`)."""

    key_id: str
    name: str
    role: str
    algorithm: str
    scopes: Scopes
    not_before: str | None
    not_after: str | None
    registered_index: int
    in_force: bool
    allowed: bool
    why_not: str
    revoked_now: bool
    why_revoked_now: str

    @property
    def is_identity(self) -> bool:
        """Whether it signs by certificates, and so has no key of its own."""
        return self.key_id.startswith(identities.PREFIX)


class SignatureRecord(msgspec.Struct, frozen=True):
    """One signature of the envelope, verified again now. `hint` is what the envelope claims, unproven."""

    hint: str
    outcome: str
    key: KeyRecord | None


class AttestationSummary(msgspec.Struct, frozen=True, kw_only=True):
    """`redacted` says that the bytes are gone: names are then empty, and nothing of it is believed."""

    digest: str
    statement: str
    index: int
    kind: str
    state: str
    received_at: str
    predicate_type: str
    title: str
    subjects: tuple[SubjectRecord, ...]
    subject_count: int
    signers: tuple[receipts.ReceiptSigner, ...]
    trust: str
    links: dict[str, str]
    redacted: redactions.RedactionRecord | None = None


class WithdrawalRecord(msgspec.Struct, frozen=True):
    """The decision that took a statement back: its entry, when it was received, who decided it and why."""

    digest: str
    index: int
    received_at: str
    person: str
    reason: str


class AttestationRecord(AttestationSummary, frozen=True, kw_only=True):
    """Everything about one entry. `skipped` says why the graph could not digest it, empty where it did."""

    statement_type: str
    payload_type: str
    signatures: tuple[SignatureRecord, ...]
    leaf: str
    policy_index: int
    published_size: int
    skipped: str
    withdrawn: WithdrawalRecord | None
    described: tuple[tuple[str, str], ...]
    payload: msgspec.Raw


class AttestationPage(msgspec.Struct, frozen=True):
    attestations: list[AttestationSummary]
    next: str | None


def envelope(digest: str) -> bytes:
    """The exact bytes of the envelope `sha256:<hex>`.

    Raises: MalformedError; NotFoundError; RedactedError where a decision took them away; LogIntegrityError
        where they are missing without one, or are others.
    """
    value = hex_digest(digest)
    content = _kept(value)
    if content is not None:
        return content
    index = Entry.objects.filter(envelope_digest=value).values_list("index", flat=True).first()
    if index is None:
        raise NotFoundError(f"No attestation has the digest {digest}.")
    raise redactions.missing(value, index)


def _kept(digest: str) -> bytes | None:
    """The envelope's bytes, None where they are not there.

    Whoever exchanged them in the database must not be believed until the next audit.
    Raises: LogIntegrityError where they have another digest (bare hex SHA-256).
    """
    content = Envelope.objects.filter(pk=digest).values_list("content", flat=True).first()
    if content is None:
        return None
    found = bytes(content)
    if hashlib.sha256(found).hexdigest() != digest:
        raise LogIntegrityError(
            f"the envelope sha256:{digest} has other bytes in the database",
            hint="Somebody altered it, or a disk did: docs/audit.md says what to do.",
        )
    return found


def attestation(digest: str, as_of: AsOf) -> AttestationRecord:
    """The record of one envelope, as of a moment.

    Raises: MalformedError, NotFoundError (also where it came later than `as_of`).
    """
    entry = Entry.objects.filter(envelope_digest=hex_digest(digest), index__lt=log_size(as_of)).first()
    if entry is None:
        raise NotFoundError(f"No attestation has the digest {digest}.")
    view = _View.at(as_of)
    gone = redactions.of(entry.envelope_digest)
    opened = None if gone else open_signed(envelope(digest))
    parsed = statement.parse(opened.envelope.payload_type, opened.envelope.payload) if opened else None
    published = Checkpoint.objects.filter(size__gt=entry.index).order_by("size").first()
    skipped = SkippedEntry.objects.filter(pk=entry.index).values_list("reason", flat=True).first()
    (summary,) = _linked([_summary(entry, parsed, view) if parsed else _bare(entry, gone, view)])
    return AttestationRecord(
        **msgspec.structs.asdict(summary),
        statement_type=parsed.type if parsed else "",
        payload_type=opened.envelope.payload_type if opened else "",
        signatures=_signatures(entry, opened, parsed, view.ring) if opened and parsed else (),
        leaf=leaf(entry).encode().decode(),
        policy_index=entry.policy_index,
        published_size=published.size if published else 0,
        skipped=skipped or "",
        withdrawn=_withdrawn(entry, view.size),
        described=_described(parsed) if parsed else (),
        payload=msgspec.Raw(parsed.payload if parsed else b"null"),
    )


def _withdrawn(entry: Entry, size: int) -> WithdrawalRecord | None:
    found = withdrawals.of(entry.statement_digest, size)
    if found is None:
        return None
    return WithdrawalRecord(found.digest, found.index, rfc3339(found.received_us), found.person, found.reason)


def leaf(entry: Entry) -> Leaf:
    """The leaf that the log commits to for this entry."""
    return Leaf(
        entry.kind,
        entry.envelope_digest,
        entry.statement_digest,
        entry.received_us,
        tuple(entry.key_ids.split(",")),
        entry.policy_index,
    )


def listed(
    as_of: AsOf,
    *,
    subject: str = "",
    predicate_type: str = "",
    signer: str = "",
    kind: str = "",
    trust: str = "",
    after: str = "",
    limit: int = PAGE,
) -> AttestationPage:
    """Entries newest first. `subject` is `<alg>:<hex>`, `signer` a key id, `after` the last page's `next`.

    Raises: MalformedError for a cursor or trust that is none.
    """
    if after and not (after.isascii() and after.isdigit() and len(after) < 19):
        raise MalformedError("The cursor is not one that this server gave.", where="after")
    end = min(log_size(as_of), int(after)) if after else log_size(as_of)
    rows = Entry.objects.filter(index__lt=end).order_by("-index")
    if subject:
        rows = rows.filter(subjects__digest=indexed(subject)).distinct()
    if predicate_type:
        rows = rows.filter(predicate_type=indexed(predicate_type))
    if signer:
        rows = rows.filter(signers__key_id=signer)
    if kind:
        rows = rows.filter(kind=kind)
    if trust:
        rows = _narrowed(rows, trust, as_of)
    view = _View.at(as_of)
    found: list[AttestationSummary] = []
    for entry in _streamed(rows, limit + 1):
        summary = _listed(entry, view)
        if trust and summary.trust != trust:
            continue
        if len(found) == limit:
            return AttestationPage(_linked(found), str(found[-1].index))
        found.append(summary)
    return AttestationPage(_linked(found), None)


def _streamed(rows: QuerySet[Entry], chunk: int) -> Iterator[Entry]:
    """The entries, newest first, a chunk a query: PostgreSQL would find all of them before the first."""
    below: int | None = None
    while True:
        found = list((rows if below is None else rows.filter(index__lt=below))[:chunk])
        yield from found
        if len(found) < chunk:
            return
        below = found[-1].index


def _narrowed(rows: QuerySet[Entry], trust: str, as_of: AsOf) -> QuerySet[Entry]:
    """The entries that may have this trust; each is looked at again."""
    for kind, usual in receipts.TRUST_BY_KIND.items():
        if trust == usual:
            return rows.filter(kind=kind)
    if trust != trust_cutoffs.REVOKED:
        raise MalformedError("Trust is signed, observed, asserted or revoked.", where="trust")
    revoked = keyring.as_of(log_size(as_of)).effective
    withdrawn = [each.statement for each in withdrawals.below(log_size(as_of))]
    gone = Redaction.objects.filter(refused="").values("envelope_digest")
    either = Q(signers__key_id__in=list(revoked)) | Q(statement_digest__in=withdrawn)
    return rows.filter(either | Q(envelope_digest__in=gone)).distinct()


def by_index(indexes: Iterable[int], as_of: AsOf) -> list[AttestationSummary]:
    """The entries with these indexes, newest first; those that are not below the tree size are left out."""
    rows = Entry.objects.filter(index__in=list(indexes), index__lt=log_size(as_of)).order_by("-index")
    view = _View.at(as_of)
    return _linked([_listed(entry, view) for entry in rows])


def _linked(found: Sequence[AttestationSummary]) -> list[AttestationSummary]:
    """Without the keys of what is no node: some types' subjects are commits, people, or a fingerprint.

    What the graph has not followed yet keeps them.
    """
    projected = ProjectionState.objects.values_list("projected", flat=True).filter(pk=1).first() or 0
    nodes = sql_nodes.rows_of({subject.key for one in found for subject in one.subjects if subject.key})
    return [
        msgspec.structs.replace(one, subjects=_known(one.subjects, nodes)) if one.index < projected else one
        for one in found
    ]


def _known(subjects: Iterable[SubjectRecord], nodes: Container[str]) -> tuple[SubjectRecord, ...]:
    return tuple(each if each.key in nodes else msgspec.structs.replace(each, key="") for each in subjects)


def digests(indexes: Iterable[int], as_of: AsOf) -> dict[int, str]:
    """The envelopes of these entries, `sha256:<hex>` by index; those below the tree size."""
    rows = Entry.objects.filter(index__in=set(indexes), index__lt=log_size(as_of))
    return {entry.index: f"sha256:{entry.envelope_digest}" for entry in rows}


def _listed(entry: Entry, view: _View) -> AttestationSummary:
    content = _kept(entry.envelope_digest)
    if content is None:
        return _bare(entry, redactions.of(entry.envelope_digest), view, most_subjects=3)
    parsed_envelope = open_signed(content).envelope
    parsed = statement.parse(parsed_envelope.payload_type, parsed_envelope.payload)
    return _summary(entry, parsed, view, most_subjects=3)


def _summary(
    entry: Entry, parsed: statement.Statement, view: _View, *, most_subjects: int | None = None
) -> AttestationSummary:
    subjects = tuple(
        SubjectRecord(s.name, dict(s.digests), artifact_key(s.digests) or "")
        for s in parsed.subjects[:most_subjects]
    )
    trust = withdrawals.entry_trust(entry, parsed, view.ring, view.size)
    return _told(entry, view, parsed.predicate_type, subjects, len(parsed.subjects), trust)


def _bare(
    entry: Entry, gone: redactions.Redacted | None, view: _View, *, most_subjects: int | None = None
) -> AttestationSummary:
    """What is left of a redacted entry. Raises: LogIntegrityError where no decision took its bytes away."""
    if gone is None:
        raise LogIntegrityError(f"the envelope of entry {entry.index} is missing")
    kept = _kept_subjects(entry)
    told = _told(entry, view, entry.predicate_type, kept[:most_subjects], len(kept), trust_cutoffs.REVOKED)
    return msgspec.structs.replace(told, redacted=redactions.record(gone))


def _told(
    entry: Entry,
    view: _View,
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


def _signatures(
    entry: Entry, opened: Opened, parsed: statement.Statement, now: KeyRing
) -> tuple[SignatureRecord, ...]:
    then = keyring.as_of(entry.index if entry.index else 1)
    found = entry_signers.find(opened, then)
    signers = found.signers or entry_signers.of_entry(entry, then)
    claimed = claims(parsed, signers)
    by_key = tuple(
        SignatureRecord(
            outcome.keyid,
            str(outcome.outcome),
            _key(outcome.key_id, claimed, entry, then, now) if outcome.key_id else None,
        )
        for outcome in found.verification.outcomes
        if outcome.outcome != "unknown" or not found.findings.certified
    )
    by_certificate = tuple(
        SignatureRecord(
            f"{one.subject} ({one.issuer})",
            verify.Outcome.VERIFIED.value,
            _key(signer, claimed, entry, then, now, entry_signers.outside([one], entry.received_us)),
        )
        for signer, several in found.vouched.items()
        for one in several
    )
    bad = tuple(SignatureRecord(why, verify.Outcome.REFUTED.value, None) for why in found.findings.refuted)
    return by_key + by_certificate + bad


def _key(
    signer: str, claimed: Claimed, entry: Entry, then: KeyRing, now: KeyRing, outside: str | None = None
) -> KeyRecord:
    """`outside` says why a certificate was not valid then, None where it was, or there is none."""
    registration = then.keys[signer]
    ended = then.in_force(signer, entry.received_us) or outside
    forbidden = None if registration.role != "pipeline" else then.may(signer, claimed)
    revoked = trust_cutoffs.revocation_of(now, signer, entry.received_us)
    return KeyRecord(
        key_id=signer,
        name=registration.name,
        role=registration.role,
        algorithm=registration.key.algorithm,
        scopes=registration.scopes,
        not_before=_time(registration.not_before_us),
        not_after=_time(registration.not_after_us),
        registered_index=registration.index,
        in_force=ended is None,
        allowed=ended is None and forbidden is None,
        why_not=ended or forbidden or "",
        revoked_now=revoked is not None,
        why_revoked_now=revoked.reason if revoked else "",
    )


def _described(parsed: statement.Statement) -> tuple[tuple[str, str], ...]:
    try:
        return predicates.describe(parsed)
    except LineageError:  # a predicate that can't be read is shown as it was signed, and `skipped` says why
        return ()


def _time(us: int | None) -> str | None:
    return None if us is None else rfc3339(us)


def hex_digest(digest: str) -> str:
    """The hex of `sha256:<hex>`. Raises: MalformedError."""
    value = digest.removeprefix("sha256:")
    if len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise MalformedError("An attestation's digest is sha256:<64 lowercase hex digits>.", where="digest")
    return value
