"""Decisions about signers beyond plain keys: identities, the roots behind them, a key that replaces another.

Owns: the bodies of register-identity, adopt-root, revoke-root and rotate-key, and what each does to the ring.
Does not own: registering and revoking keys (`decisions`), what a root is (`roots`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import msgspec

from lineage.errors import MalformedError
from lineage.trust import decision_form, endorsement, identities
from lineage.trust.decision_form import Decision, KeyBody, ScopesBody, moment, moment_us, read_body
from lineage.trust.digest import sha256_hex
from lineage.trust.dsse import decode_base64, encode_base64
from lineage.trust.keys import PublicKey
from lineage.trust.leaf import parse_rfc3339, rfc3339
from lineage.trust.policy import ROOT_PREFIX, AdoptedRoot, KeyRing, Registration, Revocation
from lineage.trust.roots import Root, RootKind

REGISTER_IDENTITY = "register-identity"
ADOPT_ROOT = "adopt-root"
REVOKE_ROOT = "revoke-root"
ROTATE_KEY = "rotate-key"


class _Identity(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    signer_id: str
    name: str
    issuer: str
    subject: str
    root: str
    scopes: ScopesBody
    not_before: str | None = None
    not_after: str | None = None


class _Root(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    root_id: str
    kind: RootKind
    name: str
    material: str  # base64


class _RevokeRoot(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from", "root_id": "rootId"}):
    root_id: str
    from_: str
    reason: str
    compromised: bool


class _Rotate(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    old_key_id: str
    old_not_after: str
    endorsement: str  # base64 of an envelope that the old key signed
    key: KeyBody


_IDENTITY = msgspec.json.Decoder(_Identity)
_ROOT = msgspec.json.Decoder(_Root)
_REVOKE_ROOT = msgspec.json.Decoder(_RevokeRoot)
_ROTATE = msgspec.json.Decoder(_Rotate)


def build_register_identity(person: str, at_us: int, registration: Registration) -> bytes:
    """The payload that registers an identity. Raises: ValueError for a plain key."""
    identity = registration.key
    if isinstance(identity, PublicKey):
        raise ValueError("this is a key, not an identity")
    body = _Identity(
        identity.key_id,
        registration.name,
        identity.issuer,
        identity.subject,
        identity.root,
        decision_form.scopes_body(registration.scopes),
        moment(registration.not_before_us),
        moment(registration.not_after_us),
    )
    subjects = [(registration.name, {"sha256": identity.key_id.removeprefix(identities.PREFIX)})]
    return decision_form.build(
        REGISTER_IDENTITY, person, at_us, body=msgspec.to_builtins(body), subjects=subjects
    )


def build_adopt_root(person: str, at_us: int, root: Root, name: str) -> bytes:
    """The payload that adopts trust material, which is part of it: a log alone is enough to judge by."""
    body = _Root(root.root_id, root.kind, name, encode_base64(root.material))
    subjects = [(name, {"sha256": root.root_id})]
    return decision_form.build(ADOPT_ROOT, person, at_us, body=msgspec.to_builtins(body), subjects=subjects)


def build_revoke_root(person: str, at_us: int, revocation: Revocation, name: str) -> bytes:
    """The payload that revokes a root; `revocation.key_id` is `root:<id>`."""
    root_id = revocation.key_id.removeprefix(ROOT_PREFIX)
    body = _RevokeRoot(root_id, rfc3339(revocation.from_us), revocation.reason, revocation.compromised)
    subjects = [(name, {"sha256": root_id})]
    return decision_form.build(REVOKE_ROOT, person, at_us, body=msgspec.to_builtins(body), subjects=subjects)


def build_rotate_key(
    person: str, at_us: int, new: Registration, old_key_id: str, old_not_after_us: int, endorsed: bytes
) -> bytes:
    """The payload by which `new` takes over from a key, which ends at `old_not_after_us`.

    `endorsed` is the envelope of `endorsement.build` under the old key.
    """
    body = {
        "oldKeyId": old_key_id,
        "oldNotAfter": rfc3339(old_not_after_us),
        "endorsement": encode_base64(endorsed),
        "key": decision_form.key_body(new),
    }
    subjects = [(new.name, {"sha256": new.key.key_id}), (f"replaced by {new.name}", {"sha256": old_key_id})]
    return decision_form.build(ROTATE_KEY, person, at_us, body=body, subjects=subjects)


def _register_identity(ring: KeyRing, body: bytes, index: int, received_us: int) -> KeyRing:
    raw = read_body(_IDENTITY, body)
    identity = identities.make(raw.issuer, raw.subject, raw.root)
    if identity.key_id != raw.signer_id:
        raise MalformedError("The decision's signer id is not that of its issuer and subject.")
    return ring.register(
        Registration(
            identity,
            raw.name,
            raw.scopes.scopes(),
            moment_us(raw.not_before),
            moment_us(raw.not_after),
            index,
            received_us,
        )
    )


def _adopt_root(ring: KeyRing, body: bytes, index: int, received_us: int) -> KeyRing:
    raw = read_body(_ROOT, body)
    # Whether it can be used was judged before it was an entry; a later library must not unmake the ring.
    material = decode_base64(raw.material, where="$.predicate.body.material")
    root = Root(sha256_hex(material), raw.kind, material)
    if root.root_id != raw.root_id:
        raise MalformedError("The decision's root id is not that of its material.")
    return ring.adopt(AdoptedRoot(root, raw.name, index, received_us))


def _revoke_root(ring: KeyRing, body: bytes, index: int, received_us: int) -> KeyRing:
    raw = read_body(_REVOKE_ROOT, body)
    from_us = parse_rfc3339(raw.from_)
    return ring.revoke(Revocation(ROOT_PREFIX + raw.root_id, from_us, raw.reason, raw.compromised, index))


def _rotate_key(ring: KeyRing, body: bytes, index: int, received_us: int) -> KeyRing:
    raw = read_body(_ROTATE, body)
    old = ring.keys.get(raw.old_key_id)
    new = decision_form.registration(raw.key, index, received_us, vouched_by=raw.old_key_id)
    if old is None or not isinstance(old.key, PublicKey):
        raise MalformedError("The key that is to be replaced is not registered.")
    if new.key.key_id == raw.old_key_id or new.role != "pipeline" or old.role != "pipeline":
        raise MalformedError(
            "A pipeline's key is replaced by another one, and the platform's own are not so."
        )
    ended = ring.in_force(raw.old_key_id, received_us)
    if ended:
        raise MalformedError(f"The key that is to be replaced can vouch for no other: {ended}")
    endorsement.check(decode_base64(raw.endorsement, where="endorsement"), old.key, new.key.key_id)
    ends = parse_rfc3339(raw.old_not_after)
    last = ends if old.not_after_us is None else min(ends, old.not_after_us)
    return ring.register(new).register(replace(old, not_after_us=last))


_Apply = Callable[[KeyRing, bytes, int, int], KeyRing]

APPLY: Mapping[str, _Apply] = MappingProxyType(
    {
        REGISTER_IDENTITY: _register_identity,
        ADOPT_ROOT: _adopt_root,
        REVOKE_ROOT: _revoke_root,
        ROTATE_KEY: _rotate_key,
    }
)
"""Action → the ring after it. Each raises MalformedError for a wrong body, or one that the ring forbids."""


def told(decision: Decision) -> tuple[tuple[str, str], ...]:
    """What the decision says, as rows of a label and a text. Raises: MalformedError."""
    if decision.action == REGISTER_IDENTITY:
        one = read_body(_IDENTITY, decision.body)
        return (
            ("Identity", one.name),
            ("Issuer", one.issuer),
            ("Subject", one.subject),
            ("Root", one.root),
            ("From", one.not_before or ""),
            ("Until", one.not_after or ""),
        )
    if decision.action == ADOPT_ROOT:
        root = read_body(_ROOT, decision.body)
        return ("Root", root.name), ("Kind", root.kind), ("SHA-256", root.root_id)
    if decision.action == REVOKE_ROOT:
        end = read_body(_REVOKE_ROOT, decision.body)
        stolen = "yes" if end.compromised else "no"
        return (
            ("Root", end.root_id),
            ("From", end.from_),
            ("Reason", end.reason),
            ("Compromised", stolen),
        )
    turn = read_body(_ROTATE, decision.body)
    return (
        ("Replaced key", turn.old_key_id),
        ("It ends", turn.old_not_after),
        ("New key", f"{turn.key.name}, {turn.key.key_id}"),
    )


def named(decision: Decision) -> tuple[tuple[str, str, PublicKey | None], ...]:
    """Each signer that the decision registers: its id, its name, and its key where it has one."""
    if decision.action == REGISTER_IDENTITY:
        one = read_body(_IDENTITY, decision.body)
        return ((identities.make(one.issuer, one.subject, one.root).key_id, one.name, None),)
    if decision.action == ROTATE_KEY:
        new = decision_form.registration(read_body(_ROTATE, decision.body).key, 0, 0)
        return ((new.key.key_id, new.name, new.key if isinstance(new.key, PublicKey) else None),)
    return ()
