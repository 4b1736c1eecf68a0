"""The words that pages use for kinds, statuses, reasons and trust: one place, plain sentences.

Owns wording only. What a status or reason means is decided in `lineage.graph.status`.
"""

from __future__ import annotations

from collections.abc import Mapping
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
        Status("unverified", "Unverified", "circle-dashed", "Nothing signed or checked yet proves it."),
        Status("verified", "Verified", "check", "Signed, allowed, and every copy's last check matched."),
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
    "signer-revoked": "The key that signed it has been revoked for that time",
    "never-checked": "A copy has never been checked",
    "inconclusive": "The last check could not be carried out",
    "uri-only": "It is named but not digested",
    "contested-origin": "Different signers name different runs as its origin",
    "observed-differs": "What the pipeline signed and what was observed disagree",
    "input-undigested": "An input or output has no digest",
    "evidence-refuted": "Its hardware evidence was appraised and refuted",
    "evidence-stale": "Its hardware evidence is too old",
    "no-evidence": "It has shown no hardware evidence",
    "key-compromised": "The key is compromised",
    "key-ended": "The key is past its end or revoked",
    "not-yet-valid": "The key is not in force yet",
    "bytes-not-checked": "The bytes were not checked: no copy of it is known here",
}

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
}


def reason(slug: str) -> str:
    """The sentence for a reason slug; a slug may carry what it is about after `=` or a space."""
    head, separator, rest = slug.replace("=", " ", 1).partition(" ")
    sentence = REASONS.get(head, head.replace("-", " ").capitalize())
    return f"{sentence}: {rest}" if separator else sentence
