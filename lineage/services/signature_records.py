"""The signatures of one envelope, verified again, each with its key as it was judged at log time.

Owns: putting that together. Does not own: the verdicts (`entry_signers`, `trust.verify`).
"""

from __future__ import annotations

from lineage.db.models import Entry
from lineage.services import entry_signers, keyring, trust_cutoffs
from lineage.services.attestation_records import KeyRecord, SignatureRecord
from lineage.services.intake import claims
from lineage.trust import statement, verify
from lineage.trust.leaf import rfc3339
from lineage.trust.opened import Opened
from lineage.trust.policy import Claimed, KeyRing


def signatures(
    entry: Entry, opened: Opened, parsed: statement.Statement, now: KeyRing
) -> tuple[SignatureRecord, ...]:
    """Of the envelope that was `opened`; `now` are the keys as they are known at the answer's moment."""
    then = keyring.as_of(entry.index if entry.index else 1)
    found = entry_signers.find(opened, then)
    signers = found.signers or entry_signers.of_entry(entry, then)
    claimed = claims(parsed, signers)
    by_key = tuple(
        SignatureRecord(
            outcome.keyid,
            str(outcome.outcome),
            _key(outcome.key_id, claimed, entry, then, now) if outcome.key_id else None,
        )
        for outcome in found.verification.outcomes
        if outcome.outcome != "unknown" or not found.findings.certified
    )
    by_certificate = tuple(
        SignatureRecord(
            f"{one.subject} ({one.issuer})",
            verify.Outcome.VERIFIED.value,
            _key(signer, claimed, entry, then, now, entry_signers.outside([one], entry.received_us)),
        )
        for signer, several in found.vouched.items()
        for one in several
    )
    bad = tuple(SignatureRecord(why, verify.Outcome.REFUTED.value, None) for why in found.findings.refuted)
    return by_key + by_certificate + bad


def _key(
    signer: str, claimed: Claimed, entry: Entry, then: KeyRing, now: KeyRing, outside: str | None = None
) -> KeyRecord:
    """`outside` says why a certificate was not valid then, None where it was, or there is none."""
    registration = then.keys[signer]
    ended = then.in_force(signer, entry.received_us) or outside
    forbidden = None if registration.role != "pipeline" else then.may(signer, claimed)
    revoked = trust_cutoffs.revocation_of(now, signer, entry.received_us)
    return KeyRecord(
        key_id=signer,
        name=registration.name,
        role=registration.role,
        algorithm=registration.key.algorithm,
        scopes=registration.scopes,
        not_before=_time(registration.not_before_us),
        not_after=_time(registration.not_after_us),
        registered_index=registration.index,
        in_force=ended is None,
        allowed=ended is None and forbidden is None,
        why_not=ended or forbidden or "",
        revoked_now=revoked is not None,
        why_revoked_now=revoked.reason if revoked else "",
    )


def _time(us: int | None) -> str | None:
    return None if us is None else rfc3339(us)
