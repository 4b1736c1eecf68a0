"""The form of `urn:lineage:predicate:decision:v1`: who decided what, when, and a body that the action gives.

Owns: building and reading that form, strict bodies, and how a key with its scopes is written in one. Does not
own: what an action does (`decisions` and the modules of each kind of action), or who may decide.

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
from lineage.trust.keys import EcdsaEncoding, PublicKey, load_public
from lineage.trust.leaf import parse_rfc3339, rfc3339
from lineage.trust.policy import Registration, Role, Scopes
from lineage.trust.statement import STATEMENT_V1, Statement

DECISION_TYPE = "urn:lineage:predicate:decision:v1"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided. `decided_at` is RFC 3339, `body` a JSON object whose form the action gives.

    `approver` is the second person where two were needed, else "".
    """

    action: str
    person: str
    decided_at: str
    body: bytes
    approver: str = ""


class _Predicate(msgspec.Struct):
    action: str
    person: str
    decidedAt: str  # noqa: N815 the members' names in JSON
    body: msgspec.Raw
    approver: str = ""


class ScopesBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What a signer may say, as a body writes it."""

    any: bool = False
    predicate_types: tuple[str, ...] = ()
    builders: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def scopes(self) -> Scopes:
        return Scopes(self.any, self.predicate_types, self.builders, self.subjects, self.kinds)


class KeyBody(msgspec.Struct, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """A key with what it may say, as a body writes it."""

    key_id: str
    public_key: str
    name: str
    role: Role
    scopes: ScopesBody
    not_before: str | None = None
    not_after: str | None = None
    ecdsa_encoding: EcdsaEncoding = "der"


_PREDICATE = msgspec.json.Decoder(_Predicate)
_Body = TypeVar("_Body", bound=msgspec.Struct)


def build(
    action: str,
    person: str,
    at_us: int,
    *,
    body: Mapping[str, object],
    subjects: Iterable[tuple[str, Mapping[str, str]]],
    approver: str = "",
) -> bytes:
    """The statement's payload. `subjects` are names with their digest sets; at least one is needed."""
    predicate = {"action": action, "person": person, "decidedAt": rfc3339(at_us), "body": body}
    if approver:
        predicate["approver"] = approver
    return msgspec.json.encode(
        {
            "_type": STATEMENT_V1,
            "subject": [{"name": name, "digest": dict(digests)} for name, digests in subjects],
            "predicateType": DECISION_TYPE,
            "predicate": predicate,
        }
    )


def parse(statement: Statement) -> Decision:
    """Read a decision of any action; its body is read by whoever knows the action.

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
    return Decision(raw.action, raw.person, raw.decidedAt, body, raw.approver)


def read_body(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    """Raises: MalformedError where the body is not as the decoder's type says."""
    strictjson.check(body, what="decision's body")
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "The decision's body can't be read") from None


def key_body(registration: Registration) -> dict[str, object]:
    """A key's registration as JSON values, without index and time, which are the entry's own.

    Raises: ValueError for an identity, which has no key.
    """
    key = registration.key
    if not isinstance(key, PublicKey):
        raise ValueError("an identity has no public key")
    body = KeyBody(
        key.key_id,
        key.pem().decode("ascii"),
        registration.name,
        registration.role,
        scopes_body(registration.scopes),
        moment(registration.not_before_us),
        moment(registration.not_after_us),
        key.encoding,
    )
    built: dict[str, object] = msgspec.to_builtins(body)
    return built


def scopes_body(scopes: Scopes) -> ScopesBody:
    return ScopesBody(scopes.any, scopes.predicate_types, scopes.builders, scopes.subjects, scopes.kinds)


def moment(us: int | None) -> str | None:
    return None if us is None else rfc3339(us)


def moment_us(text: str | None) -> int | None:
    """Raises: MalformedError where that is no time."""
    return None if text is None else parse_rfc3339(text)


def registration(raw: KeyBody, index: int, received_us: int, vouched_by: str = "") -> Registration:
    """The registration that a body says. Raises: MalformedError for a key that is none, or has another id."""
    key = load_public(raw.public_key.encode("utf-8"), raw.ecdsa_encoding)
    if key.key_id != raw.key_id:
        raise MalformedError(
            "The decision's key id is not that of its public key.", where="$.predicate.body.keyId"
        )
    return Registration(
        key,
        raw.name,
        raw.scopes.scopes(),
        moment_us(raw.not_before),
        moment_us(raw.not_after),
        index,
        received_us,
        raw.role,
        vouched_by,
    )
