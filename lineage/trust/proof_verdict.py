"""The verdict on a proof of the log (C2SP tlog-proof), offline.

Owns: what is proved, what is only asserted, who cosigned, and what is said of other epochs. Does not own:
reading a proof and its arithmetic (`tlog_proof`), the envelope that it is about (`verify_file`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lineage.errors import SignatureRefutedError, SignerUnknownError
from lineage.trust import cosignature, digest, epoch_notes, tlog_proof
from lineage.trust.checkpoint import Checkpoint
from lineage.trust.given import Given
from lineage.trust.leaf import Leaf, rfc3339
from lineage.trust.verify import Outcome, Verdict

Judge = Callable[[bytes, Given], Verdict]


def judge(data: bytes, given: Given, verify_file: Judge) -> Verdict:
    """In the log, or not; whose statement it is only where keys are given as well: by `verify_file`.

    Raises: MalformedError, TooLargeError for what is no proof.
    """
    proof = tlog_proof.read(data)
    facts: dict[str, object] = {"index": proof.index}
    if not given.log_keys:
        return Verdict(Outcome.INCONCLUSIVE, ("No key of the log was given (--root).",), facts)
    try:
        signed, leaf = tlog_proof.verify(proof, given.log_keys)
    except SignatureRefutedError as error:
        return Verdict(Outcome.REFUTED, (error.message,), facts)
    except SignerUnknownError as error:
        return _other_epoch(proof.note, given, error.message, facts)
    facts |= {
        "origin": signed.origin,
        "tree_size": signed.size,
        "root": signed.root.hex(),
        "kind": leaf.kind,
        "envelope": f"sha256:{leaf.envelope_digest}",
        "statement": f"sha256:{leaf.statement_digest}",
        "received_at": rfc3339(leaf.received_us),
        "key_ids": list(leaf.key_ids),
    }
    witnessed = _witnessed(proof.note, given, facts)
    if witnessed.outcome is Outcome.REFUTED:
        return witnessed
    verdict = _in_log(proof.index, signed, leaf, given, facts, verify_file)
    facts = {**verdict.facts, **witnessed.facts}
    if verdict.outcome is Outcome.VERIFIED and witnessed.outcome is not Outcome.VERIFIED:
        return Verdict(witnessed.outcome, (*verdict.reasons, *witnessed.reasons), facts)
    return Verdict(verdict.outcome, (*verdict.reasons, *witnessed.reasons), facts)


def _other_epoch(note: bytes, given: Given, unknown: str, facts: dict[str, object]) -> Verdict:
    """Inconclusive; why, and how it could be told, where a given key signed under another epoch's name."""
    try:
        found = epoch_notes.other(note, given.log_keys)
    except SignatureRefutedError as error:
        return Verdict(Outcome.REFUTED, (error.message,), facts)
    if found is None:
        return Verdict(Outcome.INCONCLUSIVE, (unknown,), facts)
    facts = facts | {"origin": found.origin, "epoch": found.number, "verifier_key": found.verifier_key}
    return Verdict(Outcome.INCONCLUSIVE, (found.sentence(),), facts)


def _witnessed(note: bytes, given: Given, facts: dict[str, object]) -> Verdict:
    """Who of the given witnesses cosigned: at least the quorum, or it is inconclusive."""
    if not given.witnesses:
        if given.quorum:
            return Verdict(Outcome.INCONCLUSIVE, ("No key of a witness was given (--witness).",), facts)
        return Verdict(Outcome.VERIFIED, (), facts)
    keys = {key.text: key for key in map(cosignature.parse_witness_key, given.witnesses)}
    try:
        found = cosignature.verified(note, keys.values())
    except SignatureRefutedError as error:
        return Verdict(Outcome.REFUTED, (error.message,), facts)
    told = [{"name": each.witness.name, "at": rfc3339(each.at_us)} for each in found]
    reasons = [f"Cosigned by the witness {each['name']} at {each['at']}." for each in told]
    facts = facts | {"witnesses": told}
    apart, good = cosignature.told_apart(keys.values()), {each.witness.text for each in found}
    count, needed = sum(bool(texts & good) for texts in apart), given.quorum or len(apart)
    if count < max(needed, 1):
        reasons.append(f"{count} of the given witnesses cosigned the checkpoint, {needed} must have.")
        return Verdict(Outcome.INCONCLUSIVE, tuple(reasons), facts)
    return Verdict(Outcome.VERIFIED, tuple(reasons), facts)


def _in_log(
    index: int, signed: Checkpoint, leaf: Leaf, given: Given, facts: dict[str, object], verify_file: Judge
) -> Verdict:
    """The verdict on an entry that is in the log."""
    proved = (
        f"Proved: the log {signed.origin} has this {leaf.kind} as entry {index}, received at"
        f" {rfc3339(leaf.received_us)}.",
        f"Asserted by the log's operator as of {signed.size} entries, not proved: that no later revocation or"
        " failed check is missing.",
        *epoch_notes.told(signed.origin, given.log_keys),
    )
    if given.content is None:
        reason = (
            f"The envelope itself was not given (--artifact): its SHA-256 must be {leaf.envelope_digest}."
        )
        if given.keys or given.roots:
            # Whoever names a signer asks for more than a place; the keys in the leaf are the log's words.
            return Verdict(
                Outcome.INCONCLUSIVE, (*proved, f"{reason} Without it nobody can tell who signed it."), facts
            )
        return Verdict(Outcome.VERIFIED, (*proved, reason), facts)
    if digest.sha256_hex(given.content) != leaf.envelope_digest:
        return Verdict(Outcome.REFUTED, ("The entry is of another envelope than the one given.",), facts)
    if not given.keys and not given.roots:
        return Verdict(
            Outcome.VERIFIED, (*proved, "No key was given, so its signature was not judged."), facts
        )
    alone = replace(given, artifact=None, content=None, log_keys=(), witnesses=(), quorum=0)
    inner = verify_file(given.content, replace(alone, at_us=leaf.received_us))
    return Verdict(inner.outcome, (*proved, *inner.reasons), facts | {"envelope_facts": dict(inner.facts)})
