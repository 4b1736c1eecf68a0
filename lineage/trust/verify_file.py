"""The verdict on any signed file, offline: envelopes, Sigstore bundles, model signatures, links, tlog-proofs.

    from lineage.trust.verify_file import Given, verify_file

    verdict = verify_file(content, Given(keys=(key,), at_us=now_us))
    if verdict.outcome is not Outcome.VERIFIED: …

Owns: telling the kinds apart by content, and what each needs to be judged. There are three outcomes: what
could not be checked is inconclusive, never verified. Pure: no file, no network, no clock. Does not own:
what a proof of the log proves (`proof_verdict`), whether a supply chain kept to its layout (`layouts`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lineage.errors import LineageError, MalformedError, TooLargeError
from lineage.trust import (
    certified,
    digest,
    dsse,
    keyless,
    layouts_metadata,
    message_signatures,
    metablock_verdict,
    proof_verdict,
    statement,
    tlog_proof,
    verify,
)
from lineage.trust.certified import CertificateFindings, Certified
from lineage.trust.given import Given
from lineage.trust.identities import Identity
from lineage.trust.leaf import rfc3339
from lineage.trust.opened import BUNDLE_TYPE, Opened, open_signed
from lineage.trust.verify import Outcome, Verdict, judge_payload

__all__ = ["MODEL_SIGNATURES", "Given", "verify_file"]

MODEL_SIGNATURES = ("https://model_signing/signature/v1.0", "https://model_signing/Digests/v0.1")
"""Predicate types whose files are compared by whoever has the model (`lineage.artifacts.signed_folder`)."""
_NOT_COMPARED = (
    "A model's files are compared one by one (lineage verify --artifact, lineage.artifacts.signed_folder),"
    " which was not done here."
)
_GPG = (b"-----BEGIN PGP", b"\x89\x02\x33", b"\x88\x75")


def verify_file(data: bytes, given: Given) -> Verdict:
    """Judge a signed file by `given` alone: no key ring, no revocations.

    A malformed file is refuted, with `malformed` among the facts: it can't be what it claims to be.
    """
    for fits, judge in _KINDS:
        if fits(data):
            try:
                verdict = judge(data, given)
                return verdict if judge is _proof else _as_asked(verdict, given)
            except MalformedError as error:
                return Verdict(Outcome.REFUTED, (_sentence(error),), {"malformed": True})
            except TooLargeError as error:
                return Verdict(Outcome.INCONCLUSIVE, (error.message,))
    raise AssertionError("the last kind fits everything")


def _as_asked(verdict: Verdict, given: Given) -> Verdict:
    """Of a file that is no proof: whoever names a log or witnesses asks for more than a good signature."""
    if verdict.outcome is not Outcome.VERIFIED or not (given.log_keys or given.witnesses or given.quorum):
        return verdict
    reason = "The file is no proof of the log, so it does not show that the log has it, or who cosigned that."
    return Verdict(Outcome.INCONCLUSIVE, (*verdict.reasons, reason), verdict.facts)


def _sentence(error: LineageError) -> str:
    return f"{error.message} {error.hint}".strip()


# GPG


def _is_gpg(data: bytes) -> bool:
    return data.startswith(_GPG)


def _gpg(data: bytes, given: Given) -> Verdict:
    return Verdict(
        Outcome.INCONCLUSIVE,
        ("GPG signatures are not taken here. Sign an in-toto statement in a DSSE envelope instead.",),
    )


def _proof(data: bytes, given: Given) -> Verdict:
    return proof_verdict.judge(data, given, verify_file)


def _metablock(data: bytes, given: Given) -> Verdict:
    return metablock_verdict.judge(data, given.keys, given.artifact)


# Envelopes and bundles


def _is_bundle(data: bytes) -> bool:
    return BUNDLE_TYPE.encode() in data[:4096]


def _bundle(data: bytes, given: Given) -> Verdict:
    if message_signatures.is_one(data):
        return _over_artifact(data, given)
    return _opened(open_signed(data), given)


def _over_artifact(data: bytes, given: Given) -> Verdict:
    """A bundle that signs the artifact itself."""
    hashed = (given.artifact or {}).get("sha256", "")
    if not hashed:
        return Verdict(Outcome.INCONCLUSIVE, ("The bundle signs a file, which was not given (--artifact).",))
    artifact = bytes.fromhex(hashed)
    if given.keys:
        return message_signatures.by_keys(data, artifact, given.keys)
    found = CertificateFindings()
    for root in given.roots:
        if root.kind == "sigstore":
            found = _added(found, certified.of_keyless(keyless.judge(data, root, artifact), root))
    return _judge_certified(found, given, {}, lambda facts: Verdict(Outcome.VERIFIED, (), facts))


def _added(one: CertificateFindings, other: CertificateFindings) -> CertificateFindings:
    return CertificateFindings(
        one.certified + other.certified,
        one.refuted + other.refuted,
        one.inconclusive + other.inconclusive,
        one.foreign + other.foreign,
    )


def _envelope(data: bytes, given: Given) -> Verdict:
    return _opened(open_signed(data), given)


def _opened(opened: Opened, given: Given) -> Verdict:
    facts: dict[str, object] = {
        "verified_at": rfc3339(given.at_us),
        "payload_type": opened.envelope.payload_type,
        "statement": f"sha256:{digest.sha256_hex(opened.envelope.payload)}",
    }
    if _model_signature(opened.envelope):
        facts["model_signature"] = True

    def judge(known: dict[str, object]) -> Verdict:
        if "model_signature" not in known or given.artifact is None:
            return judge_payload(opened.envelope, given.artifact, known, ())
        verdict = judge_payload(opened.envelope, None, known, ())
        outcome = Outcome.INCONCLUSIVE if verdict.outcome is Outcome.VERIFIED else verdict.outcome
        return Verdict(outcome, (*verdict.reasons, _NOT_COMPARED), verdict.facts)

    if given.keys:
        by_keys = verify.verify_file_envelope(_alone(opened), given.keys, None, given.at_us)
        if by_keys.outcome is not Outcome.VERIFIED:
            return by_keys
        return judge(facts | dict(by_keys.facts))
    if given.roots:
        found = certified.certified(opened, given.roots)
        if opened.bundle is None and opened.certificates and not found.certified:
            sigstore = [root for root in given.roots if root.kind == "sigstore"]
            reason = "Nothing in the envelope proves when its short-lived certificate signed."
            found = replace(found, inconclusive=(*found.inconclusive, *([reason] if sigstore else [])))
        return _judge_certified(found, given, facts, judge)
    return Verdict(Outcome.INCONCLUSIVE, ("No key was given, so no signature could be checked.",), facts)


def _alone(opened: Opened) -> bytes:
    """The envelope without its bundle."""
    if opened.bundle is None:
        return opened.data
    return dsse.encode(opened.envelope)


def _model_signature(envelope: dsse.Envelope) -> bool:
    """Whether it is one by its predicate type: other statements may well mention it."""
    try:
        read = statement.parse(envelope.payload_type, envelope.payload)
    except LineageError:
        return False
    return read.predicate_type in MODEL_SIGNATURES


def _judge_certified(
    found: CertificateFindings,
    given: Given,
    facts: dict[str, object],
    judge: Callable[[dict[str, object]], Verdict],
) -> Verdict:
    """The verdict by certificates; `judge` looks at what was signed, once it is known who signed."""
    if not found.certified:
        refuted = (*found.refuted, *found.foreign)
        if refuted:
            return Verdict(Outcome.REFUTED, refuted, facts)
        reasons = found.inconclusive or ("There is no certificate that the given roots could vouch for.",)
        return Verdict(Outcome.INCONCLUSIVE, reasons, facts)
    facts["certificates"] = [_told(each) for each in found.certified]
    wrong = [_unfit(each, given) for each in found.certified]
    good = [each for each, why in zip(found.certified, wrong, strict=True) if why is None]
    if not good:
        outcome, reason = next(why for why in wrong if why is not None)
        return Verdict(outcome, (reason,), facts)
    signer = good[0]
    verdict = judge(facts)
    by = f"Signed by {signer.subject} ({signer.issuer})"
    if signer.proved_us is not None:
        by += f" at {rfc3339(signer.proved_us)}, as {signer.proved_by} proves"
    bad = tuple(f"Another signature is not good: {why}" for why in found.refuted)
    return Verdict(verdict.outcome, (f"{by}.", *verdict.reasons, *bad), verdict.facts)


def _unfit(each: Certified, given: Given) -> tuple[Outcome, str] | None:
    """Why a good certificate is not the one that is meant, or None."""
    moment = given.at_us if each.proved_us is None else each.proved_us
    if not each.valid_from_us <= moment <= each.valid_to_us:
        return Outcome.REFUTED, (
            f"The certificate of {each.subject} is valid from {rfc3339(each.valid_from_us)} to"
            f" {rfc3339(each.valid_to_us)}, and not at {rfc3339(moment)}."
        )
    sigstore = not each.issuer.startswith("x509:")
    if given.issuer and given.issuer != each.issuer:
        return Outcome.REFUTED, f"It is signed under {each.issuer}, not under the issuer that is asked for."
    if not given.identity:
        if not sigstore:
            return None
        return Outcome.INCONCLUSIVE, (
            f"Signed by {each.subject} ({each.issuer}). Whether that is who should have, say by --identity."
        )
    if Identity(each.issuer, given.identity, each.root_id).fits(each.issuer, each.subject, each.root_id):
        return None
    return (
        Outcome.REFUTED,
        f"It is signed by {each.subject} ({each.issuer}), not by the identity that is asked for.",
    )


def _told(each: Certified) -> dict[str, object]:
    return {
        "subject": each.subject,
        "issuer": each.issuer,
        "key_id": each.key_id,
        "valid_from": rfc3339(each.valid_from_us),
        "valid_to": rfc3339(each.valid_to_us),
        "proved_at": None if each.proved_us is None else rfc3339(each.proved_us),
        "proved_by": each.proved_by,
    }


_KINDS: tuple[tuple[Callable[[bytes], bool], Callable[[bytes, Given], Verdict]], ...] = (
    (_is_gpg, _gpg),
    (tlog_proof.looks_like_one, _proof),
    (_is_bundle, _bundle),
    (layouts_metadata.is_metablock, _metablock),
    (lambda data: True, _envelope),
)
"""How a file is recognised, and judged."""
