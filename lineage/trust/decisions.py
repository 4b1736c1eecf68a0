"""Decisions about keys: writing them, reading them, and what they do to the key ring.

Owns: the form of `urn:lineage:predicate:decision:v1` and the bodies of the actions bootstrap, register-key
and revoke-key. Other actions are read here too, and leave the ring as it is. Does not own: who may decide.

Bodies are strict: an unknown member is refused, because ignoring a limit that was meant would widen a key's
rights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from lineage.errors import MalformedError
from lineage.trust import strictjson
from lineage.trust.keys import EcdsaEncoding, load_public
from lineage.trust.leaf import parse_rfc3339, rfc3339
from lineage.trust.policy import KeyRing, Registration, Revocation, Role, Scopes
from lineage.trust.statement import STATEMENT_V1, Statement

DECISION_TYPE = "urn:lineage:predicate:decision:v1"
BOOTSTRAP = "bootstrap"
REGISTER_KEY = "register-key"
REVOKE_KEY = "revoke-key"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided. `decided_at` is RFC 3339, `body` a JSON object whose form the action gives."""

    action: str
    person: str
    decided_at: str
    body: bytes


class _Predicate(msgspec.Struct):
    action: str
    person: str
    decidedAt: str  # noqa: N815 the members' names in JSON
    body: msgspec.Raw


class _Scopes(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    any: bool = False
    predicate_types: tuple[str, ...] = ()
    builders: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class _Key(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    key_id: str
    public_key: str
    name: str
    role: Role
    scopes: _Scopes
    not_before: str | None = None
    not_after: str | None = None
    ecdsa_encoding: EcdsaEncoding = "der"


class _Bootstrap(msgspec.Struct, forbid_unknown_fields=True):
    origin: str
    keys: list[_Key]


class _Revoke(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from", "key_id": "keyId"}):
    key_id: str
    from_: str
    reason: str
    compromised: bool


_Body = TypeVar("_Body", _Bootstrap, _Key, _Revoke)

_PREDICATE = msgspec.json.Decoder(_Predicate)
_BOOTSTRAP = msgspec.json.Decoder(_Bootstrap)
_KEY = msgspec.json.Decoder(_Key)
_REVOKE = msgspec.json.Decoder(_Revoke)


def build(
    action: str,
    person: str,
    at_us: int,
    *,
    body: Mapping[str, object],
    subjects: Iterable[tuple[str, Mapping[str, str]]],
) -> bytes:
    """The statement's payload. `subjects` are names with their digest sets; at least one is needed."""
    return msgspec.json.encode(
        {
            "_type": STATEMENT_V1,
            "subject": [{"name": name, "digest": dict(digests)} for name, digests in subjects],
            "predicateType": DECISION_TYPE,
            "predicate": {"action": action, "person": person, "decidedAt": rfc3339(at_us), "body": body},
        }
    )


def build_bootstrap(person: str, at_us: int, origin: str, keys: Iterable[Registration]) -> bytes:
    """The payload of entry 0: the log's origin and the platform's own keys, without indexes and times."""
    registrations = tuple(keys)
    body = {"origin": origin, "keys": [_key_body(r) for r in registrations]}
    subjects = [(r.name, {"sha256": r.key.key_id}) for r in registrations]
    return build(BOOTSTRAP, person, at_us, body=body, subjects=subjects)


def build_register_key(person: str, at_us: int, registration: Registration) -> bytes:
    """The payload that registers a key. Its index and time are the entry's own, so they are not written."""
    subjects = [(registration.name, {"sha256": registration.key.key_id})]
    body = _key_body(registration)
    return build(REGISTER_KEY, person, at_us, body=body, subjects=subjects)


def build_revoke_key(person: str, at_us: int, revocation: Revocation, name: str) -> bytes:
    """The payload that revokes the key called `name`. The entry's index is not written."""
    body = {
        "keyId": revocation.key_id,
        "from": rfc3339(revocation.from_us),
        "reason": revocation.reason,
        "compromised": revocation.compromised,
    }
    return build(REVOKE_KEY, person, at_us, body=body, subjects=[(name, {"sha256": revocation.key_id})])


def _key_body(registration: Registration) -> dict[str, object]:
    scopes = registration.scopes
    body = _Key(
        registration.key.key_id,
        registration.key.pem().decode("ascii"),
        registration.name,
        registration.role,
        _Scopes(scopes.any, scopes.predicate_types, scopes.builders, scopes.subjects, scopes.kinds),
        None if registration.not_before_us is None else rfc3339(registration.not_before_us),
        None if registration.not_after_us is None else rfc3339(registration.not_after_us),
        registration.key.encoding,
    )
    built: dict[str, object] = msgspec.to_builtins(body)
    return built


def parse(statement: Statement) -> Decision:
    """Read a decision of any action; its body is read by `apply` or by whoever knows the action.

    Raises:
        MalformedError: not a decision, a member missing, a time that is none, a body that is no object.
    """
    if statement.predicate_type != DECISION_TYPE:
        raise MalformedError(f"The statement is not a decision but {statement.predicate_type}.")
    try:
        raw = _PREDICATE.decode(statement.predicate)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "The decision can't be read") from None
    body = bytes(raw.body)
    if not raw.action or not raw.person or not body.startswith(b"{"):
        raise MalformedError("A decision has an action, a person and a body.", where="$.predicate")
    parse_rfc3339(raw.decidedAt)
    return Decision(raw.action, raw.person, raw.decidedAt, body)


def origin(decision: Decision) -> str:
    """The log's origin, from the bootstrap decision.

    Raises:
        MalformedError: not a bootstrap decision, or a wrong body.
    """
    if decision.action != BOOTSTRAP:
        raise MalformedError(f"The decision is not the bootstrap but {decision.action}.")
    return _read(_BOOTSTRAP, decision.body).origin


def apply(ring: KeyRing, decision: Decision, index: int, received_us: int) -> KeyRing:
    """The ring after the decision that is log entry `index`, received at `received_us` (microseconds, UTC).

    Raises:
        MalformedError: a wrong body, a key that can't be loaded, or a bootstrap anywhere but in entry 0.
    """
    if decision.action == BOOTSTRAP:
        if index != 0 or ring.policy_index >= 0:
            raise MalformedError("Only entry 0 is a bootstrap.")
        for key in _read(_BOOTSTRAP, decision.body).keys:
            ring = ring.register(_registration(key, index, received_us))
    elif decision.action == REGISTER_KEY:
        ring = ring.register(_registration(_read(_KEY, decision.body), index, received_us))
    elif decision.action == REVOKE_KEY:
        body = _read(_REVOKE, decision.body)
        from_us = parse_rfc3339(body.from_)
        ring = ring.revoke(Revocation(body.key_id, from_us, body.reason, body.compromised, index))
    return ring


def changes_keys(decision: Decision) -> bool:
    """True for the actions that `apply` acts upon, which are the ones that a leaf's policy index counts."""
    return decision.action in (BOOTSTRAP, REGISTER_KEY, REVOKE_KEY)


def _read(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    strictjson.check(body, what="decision's body")
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "The decision's body can't be read") from None


def _registration(raw: _Key, index: int, received_us: int) -> Registration:
    key = load_public(raw.public_key.encode("utf-8"), raw.ecdsa_encoding)
    if key.key_id != raw.key_id:
        raise MalformedError(
            "The decision's key id is not that of its public key.", where="$.predicate.body.keyId"
        )
    scopes = raw.scopes
    return Registration(
        key,
        raw.name,
        Scopes(scopes.any, scopes.predicate_types, scopes.builders, scopes.subjects, scopes.kinds),
        None if raw.not_before is None else parse_rfc3339(raw.not_before),
        None if raw.not_after is None else parse_rfc3339(raw.not_after),
        index,
        received_us,
        raw.role,
    )
