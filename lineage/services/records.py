"""What the log holds about one attestation, or a list of them: the record behind a page and a receipt.

Signatures are verified again at each reading, over the stored bytes, so a page never repeats an old answer.
Owns: one record, and lists. Does not own: the shapes (`attestation_records`), summaries, signatures, bytes.
"""

# ruff: noqa: S608  (only constants are formatted into SQL; every value is a parameter)

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import msgspec
from django.db.models import Q, QuerySet

from lineage import predicates
from lineage.db import entry_reads, prepared
from lineage.db.digest_fields import packed
from lineage.db.models import Checkpoint, Entry, Redaction, SkippedEntry
from lineage.errors import LineageError, MalformedError, NotFoundError
from lineage.services import attestation_summaries as summaries
from lineage.services import (
    entry_signers,
    kept_envelopes,
    keyring,
    receipts,
    redactions,
    trust_cutoffs,
    withdrawals,
)
from lineage.services.as_of import AsOf
from lineage.services.attestation_records import (
    AttestationPage,
    AttestationRecord,
    AttestationSummary,
    SignatureRecord,
    WithdrawalRecord,
)
from lineage.services.entry_view import View, log_size
from lineage.services.kept_envelopes import envelope, hex_digest
from lineage.services.log_text import indexed
from lineage.services.signature_records import signatures
from lineage.trust import statement
from lineage.trust.leaf import Leaf, rfc3339
from lineage.trust.opened import open_signed

__all__ = [
    "AttestationPage", "AttestationRecord", "AttestationSummary", "SignatureRecord", "attestation",
    "by_index", "digests", "envelope", "hex_digest", "leaf", "listed", "log_size",
]  # fmt: skip
PAGE = 50
ENVELOPES = 8
"""Read at once for a list: few, because each may be as large as the server takes them."""
_ABOUT = (
    f"SELECT {entry_reads.COLUMNS} FROM (SELECT DISTINCT s.entry_id FROM log_entry_subject s"
    " WHERE s.digest = %s AND s.entry_id < %s ORDER BY s.entry_id DESC LIMIT %s) w"
    ' JOIN log_entry e ON e."index" = w.entry_id ORDER BY e."index" DESC'
)

Chunk = Callable[[int, int], list[Entry]]
"""So many entries below an index, newest first."""


def attestation(digest: str, as_of: AsOf) -> AttestationRecord:
    """The record of one envelope, as of a moment.

    Raises: MalformedError, NotFoundError (also where it came later than `as_of`).
    """
    entry = Entry.objects.filter(envelope_digest=hex_digest(digest), index__lt=log_size(as_of)).first()
    if entry is None:
        raise NotFoundError(f"No attestation has the digest {digest}.")
    view = View.at(as_of)
    gone = redactions.of(entry.envelope_digest)
    opened = None if gone else open_signed(envelope(digest))
    parsed = statement.parse(opened.envelope.payload_type, opened.envelope.payload) if opened else None
    published = Checkpoint.objects.filter(size__gt=entry.index).order_by("size").first()
    skipped = SkippedEntry.objects.filter(pk=entry.index).values_list("reason", flat=True).first()
    (told,) = summaries.linked(
        [summaries.summary(entry, parsed, view) if parsed else summaries.bare(entry, gone, view)],
        as_of.projected,
    )
    return AttestationRecord(
        **msgspec.structs.asdict(told),
        statement_type=parsed.type if parsed else "",
        payload_type=opened.envelope.payload_type if opened else "",
        signatures=signatures(entry, opened, parsed, view.ring) if opened and parsed else (),
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


def _described(parsed: statement.Statement) -> tuple[tuple[str, str], ...]:
    try:
        return predicates.describe(parsed)
    except LineageError:  # a predicate that can't be read is shown as it was signed, and `skipped` says why
        return ()


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
    narrowed = predicate_type or signer or kind or trust
    if subject and narrowed:
        rows = rows.filter(subjects__digest=indexed(subject)).distinct()
    if predicate_type:
        rows = rows.filter(predicate_type=indexed(predicate_type))
    if signer:
        rows = rows.filter(signers__signer__in=entry_signers.numbers([signer]))
    if kind:
        rows = rows.filter(kind=kind)
    if trust:
        rows = _narrowed(rows, trust, as_of)
    view = View.at(as_of)
    found: list[AttestationSummary] = []
    more = _about(indexed(subject), as_of.head) if subject and not narrowed else _of(rows)
    for entry, content in _read(_streamed(more, end, limit + 1)):
        summary = summaries.listed(entry, content, view)
        if trust and summary.trust != trust:
            continue
        if len(found) == limit:
            return AttestationPage(summaries.linked(found, as_of.projected), str(found[-1].index))
        found.append(summary)
    return AttestationPage(summaries.linked(found, as_of.projected), None)


def _of(rows: QuerySet[Entry]) -> Chunk:
    return lambda below, count: list(rows.filter(index__lt=below)[:count])


def _about(subject: str, size: int) -> Chunk:
    """All entries about a subject, which is what is asked most: by a query that is planned once."""

    def chunk(below: int, count: int) -> list[Entry]:
        found = prepared.fetch(_ABOUT, (packed(subject), below, count), size=size)
        return [entry_reads.entry(row) for row in found]

    return chunk


def _streamed(entries: Chunk, below: int, count: int) -> Iterator[Entry]:
    """The entries, newest first, a chunk a query: PostgreSQL would find all of them before the first."""
    while True:
        found = entries(below, count)
        yield from found
        if len(found) < count:
            return
        below = found[-1].index


def _read(entries: Iterable[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
    """With their envelopes, some at a time."""
    rest = iter(entries)
    while some := list(islice(rest, ENVELOPES)):
        yield from kept_envelopes.several(some)


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
    either = Q(signers__signer__in=entry_signers.numbers(revoked)) | Q(statement_digest__in=withdrawn)
    return rows.filter(either | Q(envelope_digest__in=gone)).distinct()


def by_index(indexes: Iterable[int], as_of: AsOf) -> list[AttestationSummary]:
    """The entries with these indexes, newest first; those that are not below the tree size are left out."""
    rows = Entry.objects.filter(index__in=list(indexes), index__lt=log_size(as_of)).order_by("-index")
    view = View.at(as_of)
    found = [summaries.listed(entry, content, view) for entry, content in _read(rows)]
    return summaries.linked(found, as_of.projected)


def digests(indexes: Iterable[int], as_of: AsOf) -> dict[int, str]:
    """The envelopes of these entries, `sha256:<hex>` by index; those below the tree size."""
    rows = Entry.objects.filter(index__in=set(indexes), index__lt=log_size(as_of))
    return {entry.index: f"sha256:{entry.envelope_digest}" for entry in rows}
