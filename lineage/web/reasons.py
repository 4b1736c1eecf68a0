"""What a reason slug means for a person, and what makes it go away: the one place that says so.

Owns the remedies. The short sentences are in `lineage.web.words`; what a reason *is*, in `graph.status`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lineage.web import words

REMEDIES: Mapping[str, str] = {
    "copy-mismatch": "Take the copy out of use, restore it from a good one, then check it again.",
    "unsafe-format": "Convert it to a format that only holds data, or let an officer waive this.",
    "check-overdue": "Check its copies again; the next matching check makes it verified.",
    "no-attestation": "Whoever made it signs a statement about it, with a key that is registered here.",
    "observed-only": "The pipeline that ran it signs its own statement about it.",
    "asserted-only": "A machine shows hardware evidence; a supplier or place is registered by an operator.",
    "signer-revoked": "Somebody whose key is in force signs a statement about it again.",
    "never-checked": "Check its copies for the first time.",
    "inconclusive": "See why the check could not be carried out, mend that, and check again.",
    "uri-only": "Whoever uses it records its digest, so that its content can be told from any other.",
    "contested-origin": "Find out which run made it; revoke the key whose statement is wrong.",
    "observed-differs": "Compare both records below; the pipeline's statement or the observation is wrong.",
    "input-undigested": "The pipeline records a digest for every input and output, and signs again.",
    "evidence-refuted": "Take the machine out of use until it shows evidence that is verified.",
    "evidence-stale": "Let the machine attest itself again.",
    "no-evidence": "Enrol the machine and let it attest itself.",
    "key-compromised": "Register a new key; have what this one alone signed signed again.",
    "key-ended": "Nothing has to be done: what it signed in its time stays. New statements need a new key.",
    "not-yet-valid": "Wait for its first day; nothing that it signs earlier is accepted.",
    "bytes-not-checked": "Tell where a copy lies, so that its bytes can be hashed and compared.",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """`sentence` says what is the matter, `remedy` what closes it; an unknown slug has no remedy."""

    slug: str
    sentence: str
    remedy: str


def explain(reason: str) -> Explanation:
    """Explain a reason as the graph gives it: a slug, perhaps with what it is about after `=` or a space."""
    slug = reason.replace("=", " ", 1).partition(" ")[0]
    return Explanation(slug, words.reason(reason), REMEDIES.get(slug, ""))


def explain_all(reasons: Iterable[str]) -> list[Explanation]:
    return [explain(reason) for reason in reasons]
