"""What a reason slug means for a person, and what makes it go away: the one place that says so.

Owns the sentences and the remedies. What a reason *is*, is in `graph.status`; other words of pages, in
`lineage.web.words`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

REASONS: Mapping[str, str] = {
    "copy-mismatch": "A check of a copy found other bytes than recorded, and nothing since has cleared that",
    "unsafe-format": "Loading it is unsafe: a file in it can run code",
    "check-overdue": "The last matching check of a copy is older than the check policy allows",
    "no-attestation": "No signed statement is about it",
    "observed-only": "Only our own collector saw it; no pipeline signed it",
    "asserted-only": "It is only named; nothing registered or proved stands behind it",
    "signer-revoked": "Only a key that was revoked for that time signed a statement about it",
    "statement-withdrawn": "The only signed statement about it was taken back",
    "never-checked": "A copy has never been checked",
    "inconclusive": "A copy could not be checked, and no match of it counts any more",
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
    ("deployment", "copy-mismatch"): "A check of a copy of what it deploys found other bytes",
    ("deployment", "unsafe-format"): "Loading what it deploys is unsafe: a file in it can run code",
    ("deployment", "check-overdue"): (
        "The last matching check of what it deploys is older than the check policy allows"
    ),
    ("deployment", "no-attestation"): "No signed statement is about it, or none about what it deploys",
    ("deployment", "observed-only"): "Only our own collector saw it, or saw what it deploys",
    ("deployment", "signer-revoked"): (
        "Only a key that was revoked for that time signed a statement about it, or about what it deploys"
    ),
    ("deployment", "statement-withdrawn"): (
        "The only signed statement about it, or about what it deploys, was taken back"
    ),
    ("deployment", "never-checked"): "A copy of what it deploys has never been checked",
    ("deployment", "inconclusive"): (
        "A copy of what it deploys could not be checked, and no match of it counts any more"
    ),
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

TAINTS: Mapping[str, str] = {
    "key-compromised": "Only a compromised key vouches for",
    "bad-copy": "A run may have read a bad copy of",
    "designated": "Designated as bad:",
}
"""By the slug of a taint's source: a sentence that the source's name ends."""

REMEDIES: Mapping[str, str] = {
    "copy-mismatch": (
        "Its page names the copy and says what differs. Take that copy out of use, restore it from a good "
        "one, and verify it: a match that reads all bytes clears this. If it is to stay away, withdraw the "
        "location."
    ),
    "unsafe-format": (
        "Convert it to a format that only holds data, such as safetensors; that is another artifact. Or an "
        "officer decides to waive the finding unsafe-format for it, with a reason and an end: then it does "
        "not count until that day."
    ),
    "check-overdue": (
        "Verify it now: the next check that matches ends this. Where it happens often, the page of its "
        "location shows whether checks keep up with the policy."
    ),
    "no-attestation": "Whoever made it signs a statement about it, with a key that is registered here.",
    "observed-only": "The pipeline that ran it signs its own statement about it.",
    "asserted-only": "Nothing closes this yet: suppliers and places cannot be registered here so far.",
    "signer-revoked": "Somebody whose key is in force signs a statement about it again.",
    "statement-withdrawn": (
        "Whoever made it signs a new statement about it, with what was wrong put right: the one taken "
        "back counts no more, whoever signs it again."
    ),
    "never-checked": (
        "Verify it now, or wait: what was never checked comes first, unless its location is paused or gone."
    ),
    "inconclusive": (
        "This does not say that the bytes are wrong. Its page says why they could not be read; mend that, "
        "and verify it again."
    ),
    "uri-only": "Whoever uses it records its digest, so that its content can be told from any other.",
    "contested-origin": "Find out which run made it; withdraw the statement that is wrong.",
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
    return Explanation(slug, sentence(reason, kind), remedy)


def explain_all(reasons: Iterable[str], kind: str) -> list[Explanation]:
    return [explain(reason, kind) for reason in reasons]


def sentence(slug: str, kind: str = "") -> str:
    """The sentence for a reason slug of a node of that kind.

    A slug may carry what it is about after `=` or a space.
    """
    head, separator, rest = slug.replace("=", " ", 1).partition(" ")
    words = REASONS_OF_KINDS.get((kind, head)) or REASONS.get(head, head.replace("-", " ").capitalize())
    return f"{words}: {rest}" if separator else words
