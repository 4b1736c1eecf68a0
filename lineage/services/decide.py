"""Decisions of people: signed by the platform's key, naming the person, appended to the log.

Owns: what a decision about a key needs before it may be an entry, and appending any. Does not own: decisions
about identities and roots (`decide_signers`) or about artifacts and their checks (`decide_checks`), the form
of a decision (`lineage.trust.decisions`), or who may decide (the callers check roles and scopes).
"""

from __future__ import annotations

from collections.abc import Callable

from lineage.db.models import Entry
from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.services import access_records, append, keyring, platform_keys, receipts, second_person
from lineage.services.clock import now_us
from lineage.services.log_batch import Prepared
from lineage.services.receipts import Submitted
from lineage.services.second_person import two_people
from lineage.trust import decisions, dsse, statement
from lineage.trust.digest import sha256_hex
from lineage.trust.keys import EcdsaEncoding, load_public
from lineage.trust.policy import KeyRing, Registration, Revocation, Scopes

Judge = Callable[[KeyRing, int], None]
MAX_NAME = 200
MAX_REASON = 2000


@two_people("operator")
def register_key(
    public_key: bytes,
    name: str,
    scopes: Scopes,
    *,
    person: str,
    not_before_us: int | None = None,
    not_after_us: int | None = None,
    ecdsa_encoding: EcdsaEncoding = "der",
) -> Submitted:
    """Register a pipeline's public key (PEM or DER SPKI) with what it may say.

    `person` is an e-mail address, `token:<name>` or `os:<login>`. Times are µs since the epoch.

    Raises: MalformedError for a key, name, scope or window that is none; ConflictError for a known key.
    """
    key = load_public(public_key, ecdsa_encoding)
    name = line(name, "A key's name", MAX_NAME)
    check_rights(scopes, not_before_us, not_after_us)
    registration = Registration(key, name, scopes, not_before_us, not_after_us, -1, now_us())

    def judge(ring: KeyRing, at_us: int) -> None:
        known = ring.keys.get(key.key_id)
        if known:
            raise ConflictError(f"The key is registered already, as {known.name} in entry {known.index}.")

    return record(decisions.build_register_key(person, now_us(), registration), judge)


def check_rights(scopes: Scopes, not_before_us: int | None, not_after_us: int | None) -> None:
    """Raises: MalformedError for scopes that are empty or allow nothing, or a window without an inside."""
    if "" in (*scopes.predicate_types, *scopes.builders, *scopes.subjects, *scopes.kinds):
        raise MalformedError("A scope is empty: name what the key may say, or leave that limit out.")
    if not scopes.any and not scopes.predicate_types:
        raise MalformedError(
            "The key may say nothing without a predicate type.",
            hint="Name the predicate types that it may sign, or say explicitly that it may sign any.",
        )
    if not_before_us is not None and not_after_us is not None and not_after_us <= not_before_us:
        raise MalformedError("The key's validity ends before it begins.")


@two_people("operator")
def revoke_key(
    key_id: str, from_us: int, reason: str, *, person: str, compromised: bool = False
) -> Submitted:
    """From log time `from_us` (µs) on, nothing that the key or identity signed is believed.

    Raises: MalformedError, NotFoundError for an unknown key, NotAllowedError for one of the platform's own,
        ConflictError where a revocation that says as much is there already.
    """
    reason = line(reason, "A reason", MAX_REASON)
    registration = keyring.current().keys.get(key_id)
    if registration is None:
        raise NotFoundError(f"No key {key_id} is registered.")
    revocation = Revocation(key_id, from_us, reason, compromised, -1)

    def judge(ring: KeyRing, at_us: int) -> None:
        if registration.role != "pipeline":
            raise ConflictError("The platform's own keys can't be revoked by this call.")
        for known in ring.effective.get(key_id, ()):
            if known.from_us <= from_us and (known.compromised or not compromised):
                raise ConflictError(f"The key is revoked already, by entry {known.index}.")

    payload = decisions.build_revoke_key(person, now_us(), revocation, registration.name)
    return record(payload, judge)


def record(payload: bytes, judge: Judge) -> Submitted:
    """Sign a decision's payload and append it; `judge` raises where the ring or log time forbid it.

    Where a second person is needed, only functions that are marked with `two_people` may come here.
    """
    ring = keyring.current()
    payload = second_person.before_signing(payload, ring, now_us(), judge)
    prepared = sign(payload, ring, judge)
    appended = append.raise_first(append.append([prepared]))
    access_records.decided(appended.index)
    return receipts.submitted(prepared, appended)


def sign(payload: bytes, ring: KeyRing, judge: Judge) -> Prepared:
    """A decision's payload under the platform's signature, ready to be appended."""
    key = platform_keys.one(ring, "platform")
    envelope = dsse.sign(dsse.INTOTO_PAYLOAD_TYPE, payload, key)
    parsed = statement.parse(dsse.INTOTO_PAYLOAD_TYPE, payload)

    def renew(newer: KeyRing) -> Prepared:
        return sign(payload, newer, judge)

    return Prepared(
        kind=Entry.Kind.DECISION,
        envelope=envelope,
        envelope_digest=sha256_hex(envelope),
        statement=parsed,
        key_ids=(key.public.key_id,),
        policy_index=ring.policy_index,
        judge=judge,
        renew=renew,
        changes_policy=decisions.changes_keys(decisions.parse(parsed)),
    )


def line(text: str, what: str, limit: int) -> str:
    """`text` without spaces at its ends. Raises: MalformedError where that is no printable line."""
    text = text.strip()
    if not text or len(text) > limit or not text.isprintable():
        raise MalformedError(f"{what} is one printable line of 1 to {limit} characters.")
    return text
