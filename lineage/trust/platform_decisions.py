"""The platform's own keys after entry 0: a new key for a role, an offline root, a replacement by the root.

Owns: the bodies of rotate-platform-key, register-offline-root and replace-platform-key, and what each does to
the ring. The first two are signed by the platform's key, the last by the offline root
alone, so that it can be made where no server is. Does not own: who signed (`keyring`), that decisions of a
stolen key lose their effect (`believed`), making keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import msgspec

from lineage.errors import MalformedError
from lineage.trust import decision_form
from lineage.trust.decision_form import Decision, KeyBody, read_body
from lineage.trust.leaf import parse_rfc3339, rfc3339
from lineage.trust.policy import KeyRing, Past, Registration, Revocation

ROTATE = "rotate-platform-key"
REGISTER_ROOT = "register-offline-root"
REPLACE = "replace-platform-key"
BOOTSTRAP = "bootstrap"

OwnRole = Literal["log", "platform", "collector", "reverifier"]
ReplacedRole = Literal["log", "platform", "collector", "reverifier", "root"]


class _Rotate(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    role: OwnRole
    old_key_id: str
    old_not_after: str
    key: KeyBody


class _Root(msgspec.Struct, forbid_unknown_fields=True):
    key: KeyBody


class _Replace(
    msgspec.Struct,
    forbid_unknown_fields=True,
    rename={"from_": "from", "old_key_id": "oldKeyId"},
):
    origin: str
    role: ReplacedRole
    old_key_id: str
    from_: str
    reason: str
    compromised: bool
    key: KeyBody


class _Origin(msgspec.Struct):
    origin: str


_ROTATE = msgspec.json.Decoder(_Rotate)
_ROOT = msgspec.json.Decoder(_Root)
_REPLACE = msgspec.json.Decoder(_Replace)
_ORIGIN = msgspec.json.Decoder(_Origin)


@dataclass(frozen=True, slots=True)
class Replacement:
    """The root's word: `old_key_id` is not believed from log time `from_us` (µs) on; `new` takes over."""

    origin: str
    role: ReplacedRole
    old_key_id: str
    from_us: int
    reason: str
    compromised: bool
    new: Registration


def refuse_own(ring: KeyRing, registration: Registration | None) -> None:
    """Raises: MalformedError where a decision about pipelines' keys names one of the platform's own."""
    if registration is None:
        return
    if registration.role != "pipeline" or registration.key.key_id in ring.own:
        raise MalformedError(
            "The platform's own keys are registered, replaced and revoked by other decisions."
        )


def build_rotate(
    person: str, at_us: int, new: Registration, old: Registration, old_not_after_us: int
) -> bytes:
    """The payload by which `new` takes over the role of `old`, whose last moment is `old_not_after_us`."""
    body = {
        "role": new.role,
        "oldKeyId": old.key.key_id,
        "oldNotAfter": rfc3339(old_not_after_us),
        "key": decision_form.key_body(new),
    }
    subjects = _subjects(new, old.key.key_id)
    return decision_form.build(ROTATE, person, at_us, body=body, subjects=subjects)


def build_register_root(person: str, at_us: int, root: Registration) -> bytes:
    """The payload that registers the offline root."""
    body = {"key": decision_form.key_body(root)}
    subjects = [(root.name, {"sha256": root.key.key_id})]
    return decision_form.build(REGISTER_ROOT, person, at_us, body=body, subjects=subjects)


def build_replace(person: str, at_us: int, what: Replacement) -> bytes:
    """The payload that the root signs."""
    body = {
        "origin": what.origin,
        "role": what.role,
        "oldKeyId": what.old_key_id,
        "from": rfc3339(what.from_us),
        "reason": what.reason,
        "compromised": what.compromised,
        "key": decision_form.key_body(what.new),
    }
    subjects = _subjects(what.new, what.old_key_id)
    return decision_form.build(REPLACE, person, at_us, body=body, subjects=subjects)


def _subjects(new: Registration, old_key_id: str) -> list[tuple[str, Mapping[str, str]]]:
    return [(new.name, {"sha256": new.key.key_id}), (f"replaced by {new.name}", {"sha256": old_key_id})]


def read_replacement(decision: Decision, index: int = 0, received_us: int = 0) -> Replacement:
    """Raises: MalformedError where the decision is no replacement, or its body is not as it should be."""
    if decision.action != REPLACE:
        raise MalformedError(f"The decision does not replace a key of the platform but is {decision.action}.")
    raw = read_body(_REPLACE, decision.body)
    new = decision_form.registration(raw.key, index, received_us)
    if not raw.reason.strip():
        raise MalformedError("A replacement says why.", where="$.predicate.body.reason")
    if new.role != raw.role or new.key.key_id == raw.old_key_id:
        raise MalformedError("A key of the platform is replaced by another one of the same role.")
    from_us = parse_rfc3339(raw.from_)
    return Replacement(raw.origin, raw.role, raw.old_key_id, from_us, raw.reason, raw.compromised, new)


def origin_of(past: Past | None) -> str:
    """The origin that entry 0 gave the log; "" for a ring that no log made. Raises: MalformedError."""
    while past is not None and past.before is not None:
        past = past.before
    if past is None or past.action != BOOTSTRAP:
        return ""
    # Members of entry 0 were judged when it was applied; its keys are not read here.
    try:
        return _ORIGIN.decode(past.body).origin
    except msgspec.DecodeError as error:
        raise MalformedError("Entry 0 names no origin.") from error


def _rotate(ring: KeyRing, body: bytes, index: int, received_us: int) -> KeyRing:
    raw = read_body(_ROTATE, body)
    old_key, old = ring.holder(raw.role), ring.keys.get(raw.old_key_id)
    if old is None or old_key is None or old_key.key_id != raw.old_key_id:
        raise MalformedError(f"The key that is to be rotated is not the platform's {raw.role} key.")
    vouched = raw.old_key_id if raw.role == "platform" else ""
    new = decision_form.registration(raw.key, index, received_us, vouched_by=vouched)
    if new.role != raw.role or new.scopes != old.scopes:
        raise MalformedError("A key of the platform is rotated to one of the same role and rights.")
    _refuse_known(ring, new)
    # Only clients that know the log's old key need it a while longer.
    ends = parse_rfc3339(raw.old_not_after) if raw.role == "log" else received_us
    return _end(ring, old, ends).register(new)


def _register_root(ring: KeyRing, body: bytes, index: int, received_us: int) -> KeyRing:
    new = decision_form.registration(read_body(_ROOT, body).key, index, received_us)
    if new.role != "root":
        raise MalformedError("The offline root is a key with the role root.")
    if any(known.role == "root" for known in ring.own.values()):
        raise MalformedError("There is an offline root; it is replaced by itself alone.")
    _refuse_known(ring, new)
    return ring.register(new)


def _replace(ring: KeyRing, body: bytes, index: int, received_us: int) -> KeyRing:
    what = read_replacement(Decision(REPLACE, "", "", body), index, received_us)
    old = ring.keys.get(what.old_key_id)
    if old is None or old.role != what.role:
        raise MalformedError(f"The key that is to be replaced is not registered as a {what.role} key.")
    if what.origin != origin_of(ring.past):
        raise MalformedError(f"The replacement is for the log {what.origin}, which is another one.")
    if _was_replaced(ring.past, what.old_key_id):
        # Else one that was signed once and not used could be brought out by whoever has its new key.
        raise MalformedError(f"The {what.role} key {what.old_key_id} was replaced already.")
    if what.from_us > received_us:
        raise MalformedError("The replacement is from a time that is still to come.")
    _refuse_known(ring, what.new)
    holding = ring.holder(what.role)
    if holding is not None and holding.key_id != what.old_key_id:
        ring = _end(ring, ring.keys[holding.key_id], received_us)
    revocation = Revocation(what.old_key_id, what.from_us, what.reason, what.compromised, index)
    new = replace(what.new, scopes=old.scopes)
    return ring.register(new).revoke(revocation)


def _was_replaced(past: Past | None, key_id: str) -> bool:
    while past is not None:
        if past.action == REPLACE and read_body(_REPLACE, past.body).old_key_id == key_id:
            return True
        past = past.before
    return False


def _refuse_known(ring: KeyRing, new: Registration) -> None:
    known = ring.keys.get(new.key.key_id)
    if known is not None:
        raise MalformedError(f"The new key is registered already, as {known.name} in entry {known.index}.")


def _end(ring: KeyRing, old: Registration, ends_us: int) -> KeyRing:
    last = ends_us if old.not_after_us is None else min(ends_us, old.not_after_us)
    return ring.register(replace(old, not_after_us=last))


_Apply = Callable[[KeyRing, bytes, int, int], KeyRing]

APPLY: Mapping[str, _Apply] = MappingProxyType(
    {ROTATE: _rotate, REGISTER_ROOT: _register_root, REPLACE: _replace}
)
"""Action → the ring after it. Each raises MalformedError for a wrong body, or one that the ring forbids."""


def named(decision: Decision) -> Registration:
    """The key that the decision registers, without index and time. Raises: MalformedError."""
    if decision.action == ROTATE:
        return decision_form.registration(read_body(_ROTATE, decision.body).key, 0, 0)
    if decision.action == REGISTER_ROOT:
        return decision_form.registration(read_body(_ROOT, decision.body).key, 0, 0)
    return read_replacement(decision).new


def told(decision: Decision) -> tuple[tuple[str, str], ...]:
    """What the decision says, as rows of a label and a text. Raises: MalformedError."""
    new = named(decision)
    key = ("New key", f"{new.name}, {new.key.algorithm}, {new.key.key_id}")
    if decision.action == ROTATE:
        turn = read_body(_ROTATE, decision.body)
        return ("Role", turn.role), ("Replaced key", turn.old_key_id), ("It ends", turn.old_not_after), key
    if decision.action == REGISTER_ROOT:
        return ("Role", "root"), key
    what = read_replacement(decision)
    return (
        ("Role", what.role),
        ("Replaced key", what.old_key_id),
        ("From", rfc3339(what.from_us)),
        ("Reason", what.reason),
        ("Compromised", "yes" if what.compromised else "no"),
        key,
    )
