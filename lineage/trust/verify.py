"""Which keys signed an envelope, and the verdict on an envelope in a file.

Owns: choosing and counting trials, and that a threshold counts distinct keys. Does not own: whether a key may
say it or is in force (`policy`): who signed never changes, what is thought of the signer does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import digest, dsse, statement
from lineage.trust.keys import PublicKey
from lineage.trust.leaf import rfc3339

MAX_TRIALS = 64

Candidates = Callable[[str], Sequence[PublicKey]]
"""Keys for a hint: those that it names, else all, the likeliest first (`KeyRing.candidates`)."""


class SignatureOutcome(msgspec.Struct, frozen=True, gc=False):
    """What came of one signature.

    `outcome` is verified; refuted: `keyid` names a known key, and no key made the signature; or unknown.
    `key_id` is the key that made it, or the one that is named, else "".
    """

    keyid: str
    outcome: str
    key_id: str


class Verification(msgspec.Struct, frozen=True, gc=False):
    """`verified` has each key once, however many signatures it made; `outcomes` one for each signature.

    `exhausted` is true where the limit of trials left keys untried: a right key id would have helped.
    """

    verified: tuple[PublicKey, ...]
    outcomes: tuple[SignatureOutcome, ...]
    exhausted: bool


@dataclass(slots=True)
class _Trials:
    """One envelope's search: the budget is shared by all its signatures."""

    message: bytes
    left: int
    exhausted: bool = False

    def first(
        self, signature: bytes, keys: Sequence[PublicKey], tried: Sequence[PublicKey] = ()
    ) -> PublicKey | None:
        """The first key that made the signature. Keys in `tried`, or of another form, cost no trial."""
        for key in keys:
            if key in tried or not key.fits(signature):
                continue
            if self.left == 0:
                self.exhausted = True
                return None
            self.left -= 1
            if key.verify(self.message, signature):
                return key
        return None


def verify_envelope(
    envelope: dsse.Envelope, candidates: Candidates, *, max_trials: int = MAX_TRIALS
) -> Verification:
    """Find the keys that mathematically signed the envelope.

    Key ids are hints: the keys that they name are tried first, for all signatures, then the others whose
    signatures could look so, until `max_trials` verifications are spent.

    Source: DSSE v1, protocol.md, "Signing and verifying".
    """
    trials = _Trials(dsse.pae(envelope.payload_type, envelope.payload), max_trials)
    offered: list[Sequence[PublicKey]] = []
    named: list[list[PublicKey]] = []
    made_by: list[PublicKey | None] = []
    for signature in envelope.signatures:
        keys = candidates(signature.keyid)
        meant = [key for key in keys if signature.keyid in key.hints]
        offered.append(keys)
        named.append(meant)
        made_by.append(trials.first(signature.sig, meant))
    if None in made_by:
        missing = [i for i, key in enumerate(made_by) if key is None]
        for i in sorted(missing, key=lambda i: bool(named[i])):
            others = candidates("") if named[i] else offered[i]
            made_by[i] = trials.first(envelope.signatures[i].sig, others, named[i])
    distinct = {key.key_id: key for key in made_by if key is not None}
    outcomes = tuple(map(_outcome, envelope.signatures, named, made_by))
    return Verification(tuple(distinct.values()), outcomes, trials.exhausted)


def _outcome(
    signature: dsse.Signature, named: Sequence[PublicKey], made_by: PublicKey | None
) -> SignatureOutcome:
    if made_by is not None:
        return SignatureOutcome(signature.keyid, "verified", made_by.key_id)
    if named:
        return SignatureOutcome(signature.keyid, "refuted", named[0].key_id)
    return SignatureOutcome(signature.keyid, "unknown", "")


class Outcome(StrEnum):
    """There are three: "could not check" is not "wrong"."""

    VERIFIED = "verified"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome with its reasons as sentences; `facts` holds JSON values for people and programs."""

    outcome: Outcome
    reasons: tuple[str, ...]
    facts: Mapping[str, object] = field(default_factory=dict)


def verify_file_envelope(
    data: bytes, keys: Sequence[PublicKey], artifact: Mapping[str, str] | None, at_us: int
) -> Verdict:
    """Judge an envelope by the given keys alone: no key ring, no log, no revocations.

    `artifact` is the digest set of a file that must be a subject, or None. `at_us` (microseconds, UTC) is
    the moment that the verdict names; bare keys have no time limit of their own.
    """
    try:
        envelope = dsse.parse(data)
    except MalformedError as error:
        return Verdict(Outcome.REFUTED, (error.message,), {"malformed": True})
    except TooLargeError as error:
        return Verdict(Outcome.INCONCLUSIVE, (error.message,))
    facts: dict[str, object] = {
        "verified_at": rfc3339(at_us),
        "payload_type": envelope.payload_type,
        "statement": f"sha256:{digest.sha256_hex(envelope.payload)}",
    }
    if not keys:
        return Verdict(Outcome.INCONCLUSIVE, ("No key was given, so no signature could be checked.",), facts)
    result = verify_envelope(envelope, lambda _hint: keys, max_trials=len(keys) * len(envelope.signatures))
    facts["signatures"] = [
        {"keyid": o.keyid, "outcome": o.outcome, "key_id": o.key_id} for o in result.outcomes
    ]
    facts["signers"] = [key.key_id for key in result.verified]
    if not result.verified:
        return Verdict(Outcome.REFUTED, ("None of the given keys made any of the signatures.",), facts)
    bad = sum(o.outcome == "refuted" for o in result.outcomes)
    note = (f"{bad} further signatures name a given key and fail under it.",) if bad else ()
    return judge_payload(envelope, artifact, facts, note)


def judge_payload(
    envelope: dsse.Envelope,
    artifact: Mapping[str, str] | None,
    facts: dict[str, object],
    note: tuple[str, ...],
) -> Verdict:
    """The verdict once somebody is known to have signed the payload.

    `artifact` is the digest set of what must be a subject, or None; `facts` grows, `note` is said last.
    """
    signed = (
        "The envelope is signed by a given key" if "signers" in facts else "The envelope's signature is good"
    )
    if not statement.is_attestation(envelope.payload_type):
        reason = f"{signed}; its payload type is not an attestation's, so its content was not read."
        outcome = Outcome.VERIFIED if artifact is None else Outcome.INCONCLUSIVE
        return Verdict(outcome, (reason, *note), facts)
    try:
        read = statement.parse(envelope.payload_type, envelope.payload)
    except MalformedError as error:
        facts["malformed"] = True
        return Verdict(Outcome.REFUTED, (f"{signed}, but: {error.message}", *note), facts)
    except TooLargeError as error:
        return Verdict(Outcome.INCONCLUSIVE, (f"{signed}, but: {error.message}", *note), facts)
    facts["predicate_type"] = read.predicate_type
    facts["subjects"] = [{"name": s.name, "digest": dict(s.digests)} for s in read.subjects]
    outcome, reason = _judge_artifact(read, artifact, facts)
    return Verdict(outcome, (f"{signed}{reason}", *note), facts)


def _judge_artifact(
    read: statement.Statement, artifact: Mapping[str, str] | None, facts: dict[str, object]
) -> tuple[Outcome, str]:
    """Whether the statement is about the artifact, and the rest of the sentence that says so."""
    if artifact is None:
        return Outcome.VERIFIED, "."
    matched = [s.name for s in read.subjects if digest.match(s.digests, artifact)]
    facts["matched"] = matched
    if matched:
        return Outcome.VERIFIED, ", and the artifact is a subject of it."
    if all(digest.comparable(s.digests, artifact) for s in read.subjects):
        return Outcome.REFUTED, ", but the artifact is none of its subjects."
    return Outcome.INCONCLUSIVE, ", but a subject has no digest that the artifact's could be compared with."
