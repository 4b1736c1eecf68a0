"""Decisions about signers beyond plain keys: identities, roots of trust, and a key that replaces another.

Owns: what each needs before it may be an entry. Does not own: keys alone (`decide`), the form of these
decisions (`trust.signer_decisions`), or who may decide (the callers check roles and scopes).
"""

from __future__ import annotations

from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.services import decide, keyring
from lineage.services.clock import now_us
from lineage.services.decide import MAX_NAME, MAX_REASON
from lineage.services.receipts import Submitted
from lineage.services.second_person import two_people
from lineage.trust import decisions, dsse, identities, roots, signer_decisions, statement
from lineage.trust.keys import EcdsaEncoding, PublicKey, load_public
from lineage.trust.policy import ROOT_PREFIX, AdoptedRoot, KeyRing, Registration, Revocation, Scopes
from lineage.trust.roots import RootKind

DAY_US = 86_400_000_000
OVERLAP_US = 7 * DAY_US
"""How long a replaced key may still sign where nobody says another time."""


@two_people("operator")
def adopt_root(material: bytes, kind: RootKind, name: str, *, person: str) -> Submitted:
    """Adopt a Sigstore trusted_root.json, or PEM certificates of CAs or of timestamp authorities.

    By itself it lets nobody sign: that needs an identity. `person` as in `decide.register_key`.

    Raises: MalformedError for material that can't be read or a name that is none; ConflictError for known.
    """
    root = roots.load(kind, material)
    name = decide.line(name, "A root's name", MAX_NAME)

    def judge(ring: KeyRing, at_us: int) -> None:
        known = ring.roots.get(root.root_id)
        if known:
            raise ConflictError(f"The root is adopted already, as {known.name} in entry {known.index}.")

    return decide.record(signer_decisions.build_adopt_root(person, now_us(), root, name), judge)


@two_people("operator")
def revoke_root(
    root_id: str, from_us: int, reason: str, *, person: str, compromised: bool = False
) -> Submitted:
    """From log time `from_us` (µs) on, nothing is believed that identities of this root signed.

    Raises: MalformedError; NotFoundError for an unknown root; ConflictError where that is decided already.
    """
    reason = decide.line(reason, "A reason", MAX_REASON)
    adopted = root(root_id)
    revocation = Revocation(ROOT_PREFIX + root_id, from_us, reason, compromised, -1)

    def judge(ring: KeyRing, at_us: int) -> None:
        for known in ring.revocations.get(revocation.key_id, ()):
            if known.from_us <= from_us and (known.compromised or not compromised):
                raise ConflictError(f"The root is revoked already, by entry {known.index}.")

    payload = signer_decisions.build_revoke_root(person, now_us(), revocation, adopted.name)
    return decide.record(payload, judge)


def root(root_id: str) -> AdoptedRoot:
    """Raises: NotFoundError."""
    found = keyring.current().roots.get(root_id)
    if found is None:
        raise NotFoundError(f"No root {root_id} is adopted.")
    return found


@two_people("operator")
def register_identity(
    issuer: str,
    subject: str,
    root_id: str,
    name: str,
    scopes: Scopes,
    *,
    person: str,
    not_before_us: int | None = None,
    not_after_us: int | None = None,
) -> Submitted:
    """Let whoever holds a certificate for `subject` of `issuer` sign what `scopes` say.

    `issuer` is the OIDC issuer of a Sigstore certificate; empty or `x509:<root id>` for X.509. In `subject`
    `*` stands for any text.

    Raises: MalformedError that names the member; NotFoundError for an unknown root; ConflictError for known.
    """
    adopted = root(root_id)
    if adopted.root.kind == "timestamp":
        raise MalformedError("This root vouches for times, not for signers.", where="root")
    x509 = identities.X509_ISSUER + root_id
    if adopted.root.kind == "x509" and issuer not in ("", x509):
        raise MalformedError("The issuer of an identity of an X.509 root is that root.", where="issuer")
    if adopted.root.kind == "sigstore" and issuer.startswith(identities.X509_ISSUER):
        raise MalformedError("An identity of a Sigstore root names its OIDC issuer.", where="issuer")
    identity = identities.make(issuer or x509, subject, root_id)
    name = decide.line(name, "An identity's name", MAX_NAME)
    decide.check_rights(scopes, not_before_us, not_after_us)
    registration = Registration(identity, name, scopes, not_before_us, not_after_us, -1, now_us())

    def judge(ring: KeyRing, at_us: int) -> None:
        known = ring.keys.get(identity.key_id)
        if known:
            raise ConflictError(
                f"The identity is registered already, as {known.name} in entry {known.index}."
            )

    return decide.record(signer_decisions.build_register_identity(person, now_us(), registration), judge)


@two_people("operator")
def rotate_key(
    old_key_id: str,
    new_public_key: bytes,
    endorsement: bytes,
    *,
    person: str,
    name: str = "",
    old_not_after_us: int | None = None,
    ecdsa_encoding: EcdsaEncoding = "der",
) -> Submitted:
    """Let a new key take over from an old one, which vouches for it by `endorsement` (an envelope).

    The new key may say what the old one may. The old one ends at `old_not_after_us` (µs), a week from now
    where none is given; what it has signed stays. `name` defaults to the old key's.

    Raises: MalformedError (also for an endorsement that the old key did not sign); NotFoundError;
        ConflictError for a new key that is registered already.
    """
    ring = keyring.current()
    old = ring.keys.get(old_key_id)
    if old is None or not isinstance(old.key, PublicKey):
        raise NotFoundError(f"No key {old_key_id} is registered.")
    if old.role != "pipeline":
        raise ConflictError("The platform's own keys are not replaced by this call.")
    key = load_public(new_public_key, ecdsa_encoding)
    at_us = now_us()
    name = decide.line(name or old.name, "A key's name", MAX_NAME)
    new = Registration(key, name, old.scopes, None, None, -1, at_us, vouched_by=old_key_id)
    ends = at_us + OVERLAP_US if old_not_after_us is None else old_not_after_us
    payload = signer_decisions.build_rotate_key(person, at_us, new, old_key_id, ends, endorsement)
    decision = decisions.parse(statement.parse(dsse.INTOTO_PAYLOAD_TYPE, payload))

    def judge(ring: KeyRing, at_us: int) -> None:
        known = ring.keys.get(key.key_id)
        if known:
            raise ConflictError(f"The key is registered already, as {known.name} in entry {known.index}.")
        decisions.apply(ring, decision, ring.policy_index + 1, at_us)

    return decide.record(payload, judge)
