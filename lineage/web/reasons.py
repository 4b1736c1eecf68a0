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
    "asserted-only": "Nothing closes this yet: suppliers and places cannot be registered here so far.",
    "signer-revoked": "Somebody whose key is in force signs a statement about it again.",
    "never-checked": "Check its copies for the first time; the signed check is sent like any statement.",
    "inconclusive": "See why the check could not be carried out, mend that, and check again.",
    "uri-only": "Whoever uses it records its digest, so that its content can be told from any other.",
    "contested-origin": "Find out which run made it; revoke the key whose statement is wrong.",
    "observed-differs": "Its page says where; the pipeline's statement or the observation is wrong.",
    "input-undigested": "The pipeline records a digest for every input and output, and signs again.",
    "evidence-refuted": "Take the machine out of use until it shows evidence that is verified.",
    "evidence-stale": "Let the machine attest itself again.",
    "no-evidence": "Nothing closes this yet: hardware evidence cannot be appraised here so far.",
    "key-compromised": "Register a new key; have what this one alone signed signed again.",
    "key-ended": "Nothing has to be done: what it signed in its time stays. New statements need a new key.",
    "not-yet-valid": "Wait for its first day; nothing that it signs earlier is accepted.",
    "status-unknown": "Wait for the status tables to follow the log; the system page says how far they are.",
    "bytes-not-checked": (
        "A statement that gives its downloadLocation, in a folder that this installation may read, "
        "makes it a copy that can be hashed and compared."
    ),
}

REMEDIES_OF_KINDS: Mapping[tuple[str, str], str] = {
    ("hardware", "asserted-only"): "Whoever runs the machine signs a hardware node statement about it.",
    ("hardware", "inconclusive"): "See why the evidence could not be appraised, and mend that.",
    ("signer", "asserted-only"): "An operator registers the key, if it is to be believed.",
    ("deployment", "no-attestation"): "Its own page and that of what it deploys say which one is missing.",
}
"""By kind of node and slug: where the remedy above would not be right for that kind."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`sentence` says what is the matter, `remedy` what closes it; an unknown slug has no remedy."""

    slug: str
    sentence: str
    remedy: str


def explain(reason: str, kind: str = "") -> Explanation:
    """Explain a reason as the graph gives it: a slug, perhaps with what it is about after `=` or a space.

    `kind` is the node's: what a sentence is about depends on it.
    """
    slug = reason.replace("=", " ", 1).partition(" ")[0]
    remedy = REMEDIES_OF_KINDS.get((kind, slug)) or REMEDIES.get(slug, "")
    return Explanation(slug, words.reason(reason, kind), remedy)


def explain_all(reasons: Iterable[str], kind: str) -> list[Explanation]:
    return [explain(reason, kind) for reason in reasons]
