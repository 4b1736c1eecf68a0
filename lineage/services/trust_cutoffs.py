"""From which log index on a revoked key is no longer believed, and what that leaves of an entry.

A revocation names a time; entries are in order of time, so it covers every index from some index on.
"""

from __future__ import annotations

from lineage.db.models import Entry
from lineage.services import entry_signers, keyring
from lineage.services.intake import claims
from lineage.services.receipts import TRUST_BY_KIND
from lineage.trust.policy import KeyRing, Revocation
from lineage.trust.statement import Statement

REVOKED = "revoked"


def cutoffs(ring: KeyRing, *, compromised: bool = False) -> dict[str, int]:
    """Signer → the first log index that its revocations cover; signers that aren't revoked are left out.

    With `compromised`, only revocations that say so count.
    """
    starts = {
        signer: min(moments)
        for signer, revocations in ring.effective.items()
        if (moments := [each.from_us for each in revocations if each.compromised or not compromised])
    }
    firsts = keyring.first_from(starts.values())
    return {signer: firsts[at] for signer, at in starts.items() if at in firsts}


def revocation_of(ring: KeyRing, key_id: str, received_us: int) -> Revocation | None:
    """The earliest revocation that covers what the key signed at `received_us`, or None."""
    covering = [r for r in ring.effective.get(key_id, ()) if r.from_us <= received_us]
    return min(covering, key=lambda r: (r.from_us, r.index), default=None)


def entry_trust(entry: Entry, parsed: Statement, ring: KeyRing) -> str:
    """signed, observed or asserted by kind; `revoked` where every key that might say it is revoked."""
    signers = entry_signers.of_entry(entry, ring)
    if not any(revocation_of(ring, key_id, entry.received_us) for key_id in signers):
        return TRUST_BY_KIND[entry.kind]
    believed = [k for k in allowed_signers(entry, parsed) if not revocation_of(ring, k, entry.received_us)]
    return TRUST_BY_KIND[entry.kind] if believed else REVOKED


def allowed_signers(entry: Entry, parsed: Statement) -> list[str]:
    """The signers that, by the ring and time of the entry, might say it."""
    ring = keyring.as_of(entry.index)
    signers = list(entry_signers.of_entry(entry, ring))
    if entry.kind != Entry.Kind.ATTESTATION:
        return signers
    claimed = claims(parsed, signers)
    return [k for k in signers if not ring.in_force(k, entry.received_us) and not ring.may(k, claimed)]
