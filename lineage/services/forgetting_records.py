"""How leaving and forgetting stand, for pages and programs. Does not own: deciding any of it."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from lineage.db.models import Entry, LogHead, Redaction
from lineage.services import erasing, forgetting, holds, redactions, retention
from lineage.services.forgetting import Decided
from lineage.trust.forgetting_decisions import Hold, Redact, RetentionClass
from lineage.trust.leaf import rfc3339

MOST = 50
"""Redactions and refusals that are listed, the newest."""


class DecidedBy(msgspec.Struct, frozen=True):
    """A decision's entry, and who decided when and why; `approver` is the second person, or empty."""

    digest: str
    index: int
    received_at: str
    person: str
    approver: str
    reason: str


class HoldRecord(msgspec.Struct, frozen=True):
    """A hold that stands, and what it names."""

    name: str
    decided: DecidedBy
    subjects: tuple[str, ...]
    envelopes: tuple[str, ...]
    signers: tuple[str, ...]
    predicate_types: tuple[str, ...]
    everything: bool


class ClassRecord(msgspec.Struct, frozen=True):
    """Entries of these kinds and predicate types (empty: any) are kept for `days`; None: for ever."""

    name: str
    days: int | None
    kinds: tuple[str, ...]
    predicate_types: tuple[str, ...]


class RetentionRecord(msgspec.Struct, frozen=True):
    """The policy in force; the first class that an entry belongs to counts."""

    decided: DecidedBy
    classes: tuple[ClassRecord, ...]


class RedactionCount(msgspec.Struct, frozen=True):
    """A decision that redacts: how many envelopes it erased, and how many stay although it names them.

    `believed` is False where a thief of the platform's key decided it: nothing more is erased by it.
    """

    decided: DecidedBy
    erased: int
    kept: int
    policy: int | None
    believed: bool


class KeptRecord(msgspec.Struct, frozen=True):
    """An envelope that a decision names and that is kept all the same: `entry` None where it is of none."""

    envelope: str
    entry: int | None
    decision: int
    why: str


class Forgetting(msgspec.Struct, frozen=True):
    """`redacted` envelopes in all; `pending` decisions wait to be carried out; the newest MOST of each."""

    tree_size: int
    holds: tuple[HoldRecord, ...]
    retention: RetentionRecord | None
    redacted: int
    pending: int
    redactions: tuple[RedactionCount, ...]
    kept: tuple[KeptRecord, ...]


def now() -> Forgetting:
    decided, believed = forgetting.below(), frozenset(each.index for each in forgetting.believed())
    in_force = retention.current()
    return Forgetting(
        tree_size=LogHead.objects.values_list("size", flat=True).filter(pk=1).first() or 0,
        holds=tuple(_hold(each, hold) for each, hold in holds.standing()),
        retention=None
        if in_force is None
        else RetentionRecord(
            _by(in_force.decided, in_force.policy.reason), tuple(map(_class, in_force.policy.classes))
        ),
        redacted=Redaction.objects.filter(refused="").count(),
        pending=len(erasing.pending()),
        redactions=tuple(
            _count(each, believed)
            for each in [d for d in reversed(decided) if isinstance(d.body, Redact)][:MOST]
        ),
        kept=_kept(),
    )


def _by(decided: Decided, reason: str) -> DecidedBy:
    return DecidedBy(
        decided.digest,
        decided.index,
        rfc3339(decided.received_us),
        decided.person,
        decided.approver,
        reason,
    )


def _hold(decided: Decided, hold: Hold) -> HoldRecord:
    return HoldRecord(
        hold.name,
        _by(decided, hold.reason),
        hold.subjects,
        hold.envelopes,
        hold.signers,
        hold.predicate_types,
        hold.everything,
    )


def _class(each: RetentionClass) -> ClassRecord:
    return ClassRecord(each.name, each.days, each.kinds, each.predicate_types)


def _count(decided: Decided, believed: Collection[int]) -> RedactionCount:
    assert isinstance(decided.body, Redact)
    rows = Redaction.objects.filter(entry_index=decided.index)
    kept = rows.exclude(refused="").count()
    erased, good = rows.count() - kept, decided.index in believed
    return RedactionCount(_by(decided, decided.body.reason), erased, kept, decided.body.policy, good)


def _kept() -> tuple[KeptRecord, ...]:
    rows = list(Redaction.objects.exclude(refused="").order_by("-pk")[:MOST])
    entries = dict(
        Entry.objects.filter(envelope_digest__in=[row.envelope_digest for row in rows]).values_list(
            "envelope_digest", "index"
        )
    )
    gone = redactions.among([row.envelope_digest for row in rows])
    return tuple(
        KeptRecord(
            f"sha256:{row.envelope_digest}",
            entries.get(row.envelope_digest),
            row.entry_index,
            row.refused,
        )
        for row in rows
        if row.envelope_digest not in gone
    )
