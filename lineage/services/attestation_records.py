"""What is told of an attestation: one frozen struct for each thing that a page or a client reads.

Owns the shapes only. Digests are `sha256:<hex>`, indexes log indexes, times RFC 3339 in UTC.
"""

from __future__ import annotations

import msgspec

from lineage.services import receipts, redactions
from lineage.trust import identities
from lineage.trust.policy import Scopes


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
