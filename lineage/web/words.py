"""The words that pages use for kinds, statuses, reasons and trust: one place, plain sentences.

Owns wording only. What a status or reason means is decided in `lineage.graph.status`.
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

REASONS: Mapping[str, str] = {
    "copy-mismatch": "The last check of a copy found other bytes than recorded",
    "unsafe-format": "The file format can run code when it is loaded",
    "check-overdue": "The last matching check is older than the check policy allows",
    "no-attestation": "No signed statement is about it",
    "observed-only": "Only our own collector saw it; no pipeline signed it",
    "asserted-only": "It is only named; nothing registered or proved stands behind it",
    "signer-revoked": "Only a key that was revoked for that time signed a statement about it",
    "never-checked": "A copy has never been checked",
    "inconclusive": "The last check could not be carried out",
    "uri-only": "It is named, but no digest of its content was recorded",
    "contested-origin": "Different signers name different runs as its origin",
    "observed-differs": "What the pipeline signed and what was observed disagree",
    "input-undigested": "An input or output has no digest",
    "evidence-refuted": "Its hardware evidence was appraised and refuted",
    "evidence-stale": "Its hardware evidence is too old",
    "no-evidence": "It has shown no hardware evidence",
    "key-compromised": "The key is compromised",
    "key-ended": "The key has ended: it is past its last day, or was revoked",
    "not-yet-valid": "The key is not in force yet",
    "status-unknown": "Its status is not known here yet",
    "bytes-not-checked": "The bytes were not checked: no copy of it is known here",
}

REASONS_OF_KINDS: Mapping[tuple[str, str], str] = {
    ("deployment", "copy-mismatch"): "The last check of a copy of what it deploys found other bytes",
    ("deployment", "check-overdue"): (
        "The last matching check of what it deploys is older than the check policy allows"
    ),
    ("deployment", "no-attestation"): "No signed statement is about it, or none about what it deploys",
    ("deployment", "observed-only"): "Only our own collector saw it, or saw what it deploys",
    ("deployment", "signer-revoked"): (
        "Only a key that was revoked for that time signed a statement about it, or about what it deploys"
    ),
    ("deployment", "never-checked"): "A copy of what it deploys has never been checked",
    ("deployment", "inconclusive"): "The last check of what it deploys could not be carried out",
    ("deployment", "uri-only"): "What it deploys is named, but no digest of its content was recorded",
    ("deployment", "contested-origin"): (
        "Different signers name different runs as the origin of what it deploys"
    ),
    ("hardware", "asserted-only"): "It is only named; no signed statement is about the machine itself",
    ("hardware", "inconclusive"): "Its hardware evidence could not be appraised",
    ("supplier", "asserted-only"): "Statements name it; nobody has registered it",
    ("place", "asserted-only"): "Statements name it; nobody has registered it",
    ("signer", "asserted-only"): "The key is not registered here",
}
"""By kind of node and slug: where the sentence above would not be right for that kind."""

TAINTS: Mapping[str, str] = {"key-compromised": "Only a compromised key vouches for"}
"""By the slug of a taint's source: a sentence that the source's name ends."""

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


def reason(slug: str, kind: str = "") -> str:
    """The sentence for a reason slug of a node of that kind.

    A slug may carry what it is about after `=` or a space.
    """
    head, separator, rest = slug.replace("=", " ", 1).partition(" ")
    sentence = REASONS_OF_KINDS.get((kind, head)) or REASONS.get(head, head.replace("-", " ").capitalize())
    return f"{sentence}: {rest}" if separator else sentence
