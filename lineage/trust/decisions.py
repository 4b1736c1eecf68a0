"""Decisions about keys: writing them, reading them, and what they do to the key ring.

Owns: the bodies of the actions bootstrap, register-key and revoke-key. Other actions are read here too, and
leave the ring as it is. Does not own: the form of any decision (`decision_form`), identities, roots and
rotation (`signer_decisions`), the platform's own keys after entry 0 (`platform_decisions`), epochs of the log
(`epoch_decisions`), or who may decide.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from lineage.errors import MalformedError
from lineage.trust import decision_form, epoch_decisions, identities, platform_decisions, signer_decisions
from lineage.trust.decision_form import DECISION_TYPE, Decision, KeyBody, build, parse, read_body
from lineage.trust.leaf import parse_rfc3339, rfc3339
from lineage.trust.policy import KeyRing, Registration, Revocation

__all__ = [
    "BOOTSTRAP",
    "DECISION_TYPE",
    "REGISTER_KEY",
    "REVOKE_KEY",
    "Decision",
    "apply",
    "build",
    "build_bootstrap",
    "build_register_key",
    "build_revoke_key",
    "changes_keys",
    "origin",
    "parse",
]

BOOTSTRAP = "bootstrap"
REGISTER_KEY = "register-key"
REVOKE_KEY = "revoke-key"


class _Bootstrap(msgspec.Struct, forbid_unknown_fields=True):
    origin: str
    keys: list[KeyBody]


class _Revoke(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from", "key_id": "keyId"}):
    key_id: str
    from_: str
    reason: str
    compromised: bool


_BOOTSTRAP = msgspec.json.Decoder(_Bootstrap)
_KEY = msgspec.json.Decoder(KeyBody)
_REVOKE = msgspec.json.Decoder(_Revoke)


def build_bootstrap(person: str, at_us: int, origin: str, keys: Iterable[Registration]) -> bytes:
    """The payload of entry 0: the log's origin and the platform's own keys, without indexes and times."""
    registrations = tuple(keys)
    body = {"origin": origin, "keys": [decision_form.key_body(r) for r in registrations]}
    subjects = [(r.name, {"sha256": r.key.key_id}) for r in registrations]
    return build(BOOTSTRAP, person, at_us, body=body, subjects=subjects)


def build_register_key(person: str, at_us: int, registration: Registration) -> bytes:
    """The payload that registers a key. Its index and time are the entry's own, so they are not written."""
    subjects = [(registration.name, {"sha256": registration.key.key_id})]
    body = decision_form.key_body(registration)
    return build(REGISTER_KEY, person, at_us, body=body, subjects=subjects)


def build_revoke_key(person: str, at_us: int, revocation: Revocation, name: str) -> bytes:
    """The payload that revokes the key or identity called `name`. The entry's index is not written."""
    body = {
        "keyId": revocation.key_id,
        "from": rfc3339(revocation.from_us),
        "reason": revocation.reason,
        "compromised": revocation.compromised,
    }
    digest = revocation.key_id.removeprefix(identities.PREFIX)
    return build(REVOKE_KEY, person, at_us, body=body, subjects=[(name, {"sha256": digest})])


def origin(decision: Decision) -> str:
    """The log's origin, from the bootstrap decision.

    Raises:
        MalformedError: not a bootstrap decision, or a wrong body.
    """
    if decision.action != BOOTSTRAP:
        raise MalformedError(f"The decision is not the bootstrap but {decision.action}.")
    return read_body(_BOOTSTRAP, decision.body).origin


def apply(ring: KeyRing, decision: Decision, index: int, received_us: int) -> KeyRing:
    """The ring after the decision that is log entry `index`, received at `received_us` (microseconds, UTC).

    Raises:
        MalformedError: a wrong body, a key that can't be loaded, a bootstrap anywhere but in entry 0, or one
            of the platform's own keys where only pipelines' are registered and revoked.
    """
    if decision.action == BOOTSTRAP:
        if index != 0 or ring.policy_index >= 0:
            raise MalformedError("Only entry 0 is a bootstrap.")
        for key in read_body(_BOOTSTRAP, decision.body).keys:
            ring = ring.register(decision_form.registration(key, index, received_us))
    elif decision.action == REGISTER_KEY:
        registration = decision_form.registration(read_body(_KEY, decision.body), index, received_us)
        platform_decisions.refuse_own(ring, registration)
        ring = ring.register(registration)
    elif decision.action == REVOKE_KEY:
        body = read_body(_REVOKE, decision.body)
        from_us = parse_rfc3339(body.from_)
        platform_decisions.refuse_own(ring, ring.keys.get(body.key_id))
        ring = ring.revoke(Revocation(body.key_id, from_us, body.reason, body.compromised, index))
    elif decision.action in signer_decisions.APPLY:
        ring = signer_decisions.APPLY[decision.action](ring, decision.body, index, received_us)
    elif decision.action in platform_decisions.APPLY:
        ring = platform_decisions.APPLY[decision.action](ring, decision.body, index, received_us)
    elif decision.action in epoch_decisions.APPLY:
        ring = epoch_decisions.APPLY[decision.action](ring, decision.body, index, received_us)
    return ring


def changes_keys(decision: Decision) -> bool:
    """True for the actions that `apply` acts upon, which are the ones that a leaf's policy index counts."""
    ours = (BOOTSTRAP, REGISTER_KEY, REVOKE_KEY)
    others = (*signer_decisions.APPLY, *platform_decisions.APPLY, *epoch_decisions.APPLY)
    return decision.action in (*ours, *others)
