"""The words that pages use for kinds, statuses and trust: one place, plain sentences.

Owns wording only. What a status means is decided in `lineage.graph.status`; reasons are worded in
`lineage.services.reasons`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Status:
    """A status as it is always shown: icon, word, colour (by `slug`)."""

    slug: str
    word: str
    icon: str
    meaning: str


STATUSES: Mapping[str, Status] = {
    status.slug: status
    for status in (
        Status("failed", "Failed", "x", "A check ran and failed."),
        Status("expired", "Expired", "clock", "A check or hardware evidence is too old."),
        Status("unverified", "Unverified", "circle-dashed", "Something is missing that would prove it."),
        Status("verified", "Verified", "check", "Everything that applies to it was checked and holds."),
    )
}
TAINTED = Status("tainted", "Tainted", "unlink", "Inherited from a named source.")

KEY_STATES: Mapping[str, Status] = {
    "in-force": Status("verified", "In force", "check", "What it signs is accepted."),
    "not-yet": Status("unverified", "Not yet", "clock", "Its validity has not begun."),
    "ended": Status("expired", "Ended", "clock", "Past its end; what it signed in its time stays."),
    "revoked": Status("expired", "Revoked", "ban", "Not believed from a moment on."),
    "compromised": Status("failed", "Compromised", "x", "Revoked as compromised."),
}
"""A key's state, in the colour of the status whose slug comes first."""

_ONLY_NAMED = frozenset({"no-attestation", "asserted-only"})

KINDS: Mapping[str, str] = {
    "artifact": "Artifact",
    "run": "Run",
    "hardware": "Hardware",
    "deployment": "Deployment",
    "signer": "Signer",
    "supplier": "Supplier",
    "place": "Place",
}

_COUNTED = {"hardware": "machine"}


def counted(counts: Mapping[str, int]) -> str:
    """How many there are of each kind, as "6 artifacts, 1 run"; "" of none."""
    return ", ".join(
        f"{count:,} {_COUNTED.get(kind, kind)}{'' if count == 1 else 's'}" for kind, count in counts.items()
    )


KIND_ICONS: Mapping[str, str] = {
    "artifact": "file",
    "model": "box",
    "adapter": "puzzle",
    "dataset": "database",
    "run": "player-play",
    "hardware": "cpu",
    "deployment": "rocket",
    "signer": "key",
    "supplier": "building",
    "place": "map-pin",
}

TRUST: Mapping[str, str] = {
    "signed": "Signed by a pipeline",
    "observed": "Observed by the collector",
    "asserted": "Asserted by an operator",
    "revoked": "Its signer's key was revoked for that time",
    "unknown": "Not known here yet",
}


def trust(slug: str, reasons: Collection[str] = ()) -> str:
    """What stands behind a node. A signature of a statement that only names it is not one about it."""
    if slug == "signed" and not _ONLY_NAMED.isdisjoint(reasons):
        return "Only named, in what a pipeline signed"
    return TRUST.get(slug, slug)
