"""What a sender is told about a statement that is in the log."""

from __future__ import annotations

import msgspec

from lineage.db.models import Entry, LogHead
from lineage.graph.status import Trust
from lineage.services import entry_signers, keyring, publish
from lineage.services.log_batch import Appended, Prepared

TRUST_BY_KIND = {"attestation": Trust.SIGNED, "observation": Trust.OBSERVED, "decision": Trust.ASSERTED}
"""How far an entry of each kind is believed, best first, while its keys are."""


class ReceiptSubject(msgspec.Struct, frozen=True, gc=False):
    """A subject as it was signed; `digest` is its digest set, algorithm → lowercase hex."""

    name: str
    digest: dict[str, str]


class ReceiptSigner(msgspec.Struct, frozen=True, gc=False):
    """Who signed: `key_id` is a registered key's, or `identity:<hex>` where a certificate names one."""

    key_id: str
    name: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where a statement is in the log. `digest` is of the envelope's bytes, `statement` of the payload's."""

    digest: str
    statement: str
    index: int
    state: str
    predicate_type: str
    subjects: tuple[ReceiptSubject, ...]
    signers: tuple[ReceiptSigner, ...]
    trust: str
    links: dict[str, str]


class Submitted(msgspec.Struct, frozen=True, gc=False):
    """A receipt, and whether the entry is new (False: the same bytes were in the log before)."""

    receipt: Receipt
    created: bool


def submitted(prepared: Prepared, appended: Appended) -> Submitted:
    """The receipt. An entry that was there before may have been published since; a new one is not yet."""
    published = 0 if appended.created else publish.published_size()
    ring = keyring.recent()
    signers = entry_signers.of(appended.index, appended.key_ids, ring)
    if any(signer not in ring.keys for signer in signers):
        ring = keyring.current()
    digest = f"sha256:{prepared.envelope_digest}"
    statement = prepared.statement
    return Submitted(
        Receipt(
            digest=digest,
            statement=f"sha256:{statement.digest}",
            index=appended.index,
            state=state(appended.index, published),
            predicate_type=statement.predicate_type,
            subjects=tuple([ReceiptSubject(s.name, dict(s.digests)) for s in statement.subjects]),
            signers=tuple([ReceiptSigner(s, ring.keys[s].name) for s in signers]),
            trust=TRUST_BY_KIND[prepared.kind.value] if appended.created else _trust_now(prepared, appended),
            links=links(digest),
        ),
        appended.created,
    )


def _trust_now(prepared: Prepared, appended: Appended) -> str:
    """What is thought of an entry that was there before: a signer revoked, it withdrawn or redacted."""
    from lineage.services import redactions, trust_cutoffs, withdrawals  # which themselves need this module

    if redactions.of(prepared.envelope_digest) is not None:
        return trust_cutoffs.REVOKED
    entry = Entry.objects.get(pk=appended.index)
    size = LogHead.objects.values_list("size", flat=True).get(pk=1)
    return withdrawals.entry_trust(entry, prepared.statement, keyring.current(), size)


def state(index: int, published: int) -> str:
    """`published` once a signed checkpoint covers the entry, `integrated` before."""
    return "published" if index < published else "integrated"


def links(digest: str) -> dict[str, str]:
    """Where to read on about the envelope `digest` (`sha256:<hex>`)."""
    return {
        "self": f"/api/v1/attestations/{digest}",
        "envelope": f"/api/v1/attestations/{digest}/envelope",
        "page": f"/attestations/{digest}",
    }
