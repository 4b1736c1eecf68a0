"""Who signed an entry, as the log's decisions know them: registered keys, and identities behind certificates.

A leaf names the keys that verified; the key of a certificate is registered nowhere, so the index over
signers (`EntrySigner`) holds the identity that it stands for. Owns: finding identities in an envelope, and
reading them back. Does not own: certificates' arithmetic (`trust.certified`), or which signer is believed
(`trust.policy`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from lineage.db.models import Entry, EntrySigner, Signer
from lineage.errors import LogIntegrityError, MalformedError
from lineage.trust import certified as certificates
from lineage.trust import verify
from lineage.trust.certified import CertificateFindings, Certified
from lineage.trust.leaf import rfc3339
from lineage.trust.opened import Opened, open_signed
from lineage.trust.policy import ROOT_PREFIX, KeyRing

NO_FINDINGS = CertificateFindings()


class Signers(msgspec.Struct, frozen=True, gc=False):
    """Who signed an envelope.

    Attributes:
        key_ids: every key that mathematically verified, sorted: the leaf's.
        signers: ids of the registered keys and identities among them.
        vouched: by identity's id, the certificates that stand for it.
        verification, findings: what came of each signature.
    """

    key_ids: tuple[str, ...]
    signers: tuple[str, ...]
    vouched: Mapping[str, tuple[Certified, ...]]
    verification: verify.Verification
    findings: CertificateFindings


def find(opened: Opened, ring: KeyRing) -> Signers:
    """Look for everybody who signed, among the keys and identities of `ring`."""
    verification = verify.verify_envelope(opened.envelope, ring.candidates)
    keys = {key.key_id for key in verification.verified}
    if not opened.certificates:
        found = tuple(sorted(keys))
        return Signers(found, found, {}, verification, NO_FINDINGS)
    findings = _by_certificates(opened, ring)
    vouched: dict[str, tuple[Certified, ...]] = {}
    for each in findings.certified:
        if each.key_id in ring.keys:
            continue  # its own registration says what it may, and until when: a certificate is no way round
        for signer in ring.identified(each.issuer, each.subject, each.root_id):
            vouched[signer] = (*vouched.get(signer, ()), each)
    by_certificate = {each.key_id for several in vouched.values() for each in several}
    return Signers(
        tuple(sorted(keys | by_certificate)),
        tuple(sorted(keys | set(vouched))),
        vouched,
        verification,
        findings,
    )


def _by_certificates(opened: Opened, ring: KeyRing) -> CertificateFindings:
    """What the roots of the ring say. A certificate that can't be read takes nothing from a key beside it."""
    # Identities fall with their root by log time; a revoked authority's word about times is no proof at all.
    known = [
        adopted.root
        for root_id, adopted in ring.roots.items()
        if adopted.root.kind != "timestamp" or ROOT_PREFIX + root_id not in ring.revocations
    ]
    try:
        found = certificates.certified(opened, known)
    except MalformedError as error:
        return CertificateFindings(inconclusive=(error.message,))
    if not ring.roots and certificates.carries(opened):
        return CertificateFindings(
            inconclusive=("It carries a certificate, but no root of trust is adopted.",)
        )
    return found


def outside(vouched: Sequence[Certified], at_us: int) -> str | None:
    """None where one of the certificates was valid when it signed, else the reason as a sentence.

    That is the moment that a timestamp or transparency log proves, else log time `at_us` (µs).
    """
    for each in vouched:
        moment = at_us if each.proved_us is None else each.proved_us
        if each.valid_from_us <= moment <= each.valid_to_us:
            return None
    worst = vouched[0]
    proved = worst.proved_us is not None
    moment = at_us if worst.proved_us is None else worst.proved_us
    how = "as was proved" if proved else "by log time; nothing in the envelope proves another"
    return (
        f"The certificate of {worst.subject} is valid from {rfc3339(worst.valid_from_us)} to"
        f" {rfc3339(worst.valid_to_us)}, but signed at {rfc3339(moment)} ({how})."
    )


def at(
    signers: Sequence[str], vouched: Mapping[str, Sequence[Certified]], received_us: int
) -> tuple[str, ...]:
    """The signers of an entry received at `received_us`: no identity whose certificates were not valid."""
    if not vouched:
        return tuple(signers)
    return tuple(
        signer for signer in signers if signer not in vouched or outside(vouched[signer], received_us) is None
    )


def again(content: bytes, key_ids: Sequence[str], ring: KeyRing, received_us: int) -> tuple[str, ...]:
    """The signers of an entry whose index over signers is lost, from its envelope.

    `ring` is the one that judged it.

    Raises: MalformedError where the envelope is none; LogIntegrityError where other keys signed it than its
        leaf says.
    """
    if all(key_id in ring.keys for key_id in key_ids):
        return tuple(key_ids)
    found = find(open_signed(content), ring)
    if found.key_ids != tuple(key_ids):
        raise LogIntegrityError("an entry's certificates do not verify as its leaf says")
    return at(found.signers, found.vouched, received_us)


def numbers(signers: Iterable[str]) -> list[int]:
    """Those under which the index has these signers; of who has signed nothing there is none.

    To be asked first: joined by text, PostgreSQL sorts all that a signer has signed before the first page.
    """
    return list(Signer.objects.filter(key_id__in=list(signers)).order_by("pk").values_list("pk", flat=True))


def of(index: int, key_ids: Sequence[str], ring: KeyRing) -> tuple[str, ...]:
    """The signers of entry `index`, whose leaf names `key_ids`; `ring` is one that is not older than it."""
    if all(_registered(key_id, index, ring) for key_id in key_ids):
        return tuple(key_ids)
    return _indexed([index])[index]


def of_entry(entry: Entry, ring: KeyRing) -> tuple[str, ...]:
    return of(entry.index, entry.key_ids.split(","), ring)


def of_entries(entries: Iterable[tuple[int, Sequence[str]]], ring: KeyRing) -> dict[int, tuple[str, ...]]:
    """The signers of several entries (index, the leaf's key ids), by index. One query where any is needed."""
    found = {index: tuple(key_ids) for index, key_ids in entries}
    asked = [index for index, ids in found.items() if not all(_registered(k, index, ring) for k in ids)]
    return found | _indexed(asked)


def _registered(key_id: str, index: int, ring: KeyRing) -> bool:
    """Whether entry `index` found the key registered: a certificate's key may be registered later."""
    known = ring.keys.get(key_id)
    return known is not None and known.index <= index


def _indexed(indexes: Collection[int]) -> dict[int, tuple[str, ...]]:
    if not indexes:
        return {}
    found: dict[int, list[str]] = {index: [] for index in indexes}
    rows = EntrySigner.objects.filter(entry_id__in=indexes).order_by("entry_id", "signer__key_id")
    for index, signer in rows.values_list("entry_id", "signer__key_id"):
        found[index].append(signer)
    return {index: tuple(signers) for index, signers in found.items()}
