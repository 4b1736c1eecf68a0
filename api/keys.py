"""Signing keys: who is registered, with what scopes; registered, replaced, revoked by a signed decision."""

from __future__ import annotations

import re

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.base import Call, caller
from api.openapi import AS_OF, DECIDING, Parameter, describe
from api.query import Query
from lineage.errors import MalformedError
from lineage.services import decide, decide_signers, key_records
from lineage.services.key_records import KeyRecord
from lineage.services.receipts import Receipt
from lineage.services.records import log_size
from lineage.trust import identities
from lineage.trust.keys import EcdsaEncoding
from lineage.trust.leaf import parse_rfc3339, rfc3339
from lineage.trust.policy import Scopes

KEY_ID = "Key id: hex SHA-256 of the key's SPKI, or `identity:<hex>`"
EXAMPLE_PEM = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PUBLIC KEY-----\n"
)
_SIGNER = re.compile(f"(?:{identities.PREFIX})?[0-9a-f]{{64}}")


class ScopesForm(msgspec.Struct, forbid_unknown_fields=True):
    """What the key may say: `any`, or predicate types and, narrowing them, builders, subject globs, kinds."""

    any: bool = False
    predicate_types: tuple[str, ...] = ()
    builders: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def scopes(self) -> Scopes:
        return Scopes(self.any, self.predicate_types, self.builders, self.subjects, self.kinds)


class KeyForm(msgspec.Struct, forbid_unknown_fields=True):
    """A public key to register. `public_key` is PEM (SPKI); times are RFC 3339."""

    name: str
    public_key: str
    scopes: ScopesForm
    not_before: str | None = None
    not_after: str | None = None
    ecdsa_encoding: EcdsaEncoding = "der"


class RotationForm(msgspec.Struct, forbid_unknown_fields=True):
    """The key that takes over: PEM (SPKI), and the envelope in which the old key says so (docs/keys.md).

    The old key ends at `old_not_after` (RFC 3339), a week from now where that is null.
    """

    public_key: str
    endorsement: msgspec.Raw
    name: str = ""
    old_not_after: str | None = None
    ecdsa_encoding: EcdsaEncoding = "der"


class RevocationForm(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """From log time `from` (RFC 3339) on, nothing that the key signed is believed."""

    from_: str
    reason: str
    compromised: bool = False


class RevocationAnswer(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """A revocation, and the log index of the entry that says so."""

    from_: str
    reason: str
    compromised: bool
    index: int


class KeyAnswer(msgspec.Struct, frozen=True):
    """A registered key or identity. `state` is in-force, not-yet, ended, revoked or compromised, then.

    `index` is the entry that registered it; `signed` counts the entries that it verifiably signed. Of an
    identity, whose `key_id` is `identity:<hex>`, `issuer`, `subject` and `root` say who is meant.
    `vouched_by` is the key that this one replaced.
    """

    key_id: str
    name: str
    role: str
    algorithm: str
    state: str
    state_reason: str
    scopes: ScopesForm
    not_before: str | None
    not_after: str | None
    index: int
    registered_at: str
    revocations: tuple[RevocationAnswer, ...]
    signed: int
    last_signed_at: str | None
    issuer: str = ""
    subject: str = ""
    root: str = ""
    vouched_by: str = ""


class KeyList(msgspec.Struct, frozen=True):
    """Every key registered below the tree size, newest first."""

    tree_size: int
    keys: list[KeyAnswer]


class KeyDecided(msgspec.Struct, frozen=True):
    """The key that a decision is about, and the receipt of the decision's entry."""

    key_id: str
    decision: Receipt


class Keys(Call):
    scopes = {"GET": "read", "HEAD": "read", "POST": "operate"}  # noqa: RUF012

    @describe(
        "keys_list",
        "List keys",
        "The platform's own keys are among them; their role says so.",
        answer=KeyList,
        example="keys",
        parameters=[Parameter("as_of", AS_OF)],
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        moment = Query(request, ["as_of"]).as_of()
        return Response(
            KeyList(log_size(moment), [_answer(record) for record in key_records.list_keys(moment)])
        )

    @describe(
        "keys_register",
        "Register a key",
        "Appends a decision, signed by the platform's key, that names the caller. Without scopes a key may "
        "say nothing, so either `any` or a predicate type is needed.",
        answer=KeyDecided,
        example="key-decided",
        status=201,
        says="The key, and the receipt of the decision.",
        body=KeyForm,
        body_example={
            "name": "training pipeline",
            "public_key": EXAMPLE_PEM,
            "scopes": {
                "predicate_types": ["https://slsa.dev/provenance/v1"],
                "builders": ["https://ci.example.com/trainer"],
                "subjects": ["models/*"],
            },
            "not_after": "2027-12-31T00:00:00Z",
        },
        problems=DECIDING,
    )
    def post(self, request: Request) -> Response:
        Query(request)
        form = body.read_json(request, KeyForm)
        submitted = decide.register_key(
            form.public_key.encode(),
            form.name,
            form.scopes.scopes(),
            person=caller(request).name,
            not_before_us=moment(form.not_before, "$.not_before"),
            not_after_us=moment(form.not_after, "$.not_after"),
            ecdsa_encoding=form.ecdsa_encoding,
        )
        return decided(submitted.receipt, status=201)


class Key(Call):
    @describe(
        "keys_read",
        "One key",
        "Its scopes, validity and revocations.",
        answer=KeyAnswer,
        example="key",
        parameters=[Parameter("as_of", AS_OF)],
        path={"key_id": KEY_ID},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, key_id: str) -> Response:
        query = Query(request, ["as_of"])
        return Response(_answer(key_records.get(_key_id(key_id), query.as_of())))


class Revoke(Call):
    scopes = {"POST": "operate"}  # noqa: RUF012

    @describe(
        "keys_revoke",
        "Revoke a key",
        "Appends a signed decision. What the key signed that entered the log from `from` on is not believed "
        "any more; `compromised` taints what it alone supports.",
        answer=KeyDecided,
        example="key-decided",
        status=201,
        says="The key, and the receipt of the decision.",
        path={"key_id": KEY_ID},
        body=RevocationForm,
        body_example={"from": "2026-11-01T00:00:00Z", "reason": "laptop stolen", "compromised": True},
        problems=["not-found", *DECIDING],
    )
    def post(self, request: Request, key_id: str) -> Response:
        Query(request)
        form = body.read_json(request, RevocationForm)
        submitted = decide.revoke_key(
            _key_id(key_id),
            parse_rfc3339(form.from_),
            form.reason,
            person=caller(request).name,
            compromised=form.compromised,
        )
        prefix = identities.PREFIX if key_id.startswith(identities.PREFIX) else ""
        return decided(submitted.receipt, status=201, prefix=prefix)


class Rotate(Call):
    scopes = {"POST": "operate"}  # noqa: RUF012

    @describe(
        "keys_rotate",
        "Replace a key",
        "Appends a signed decision. The new key may say what the old one may; the old one vouches for it, "
        "and ends. Where the old one turns out to have been stolen before, the new one falls with it.",
        answer=KeyDecided,
        example="key-decided",
        status=201,
        says="The new key, and the receipt of the decision.",
        path={"key_id": KEY_ID},
        body=RotationForm,
        body_example={
            "public_key": EXAMPLE_PEM,
            "endorsement": {
                "payloadType": "application/vnd.lineage.key-endorsement.v1+json",
                "payload": "eyJvbGRLZXlJZCI6Ii4uLiIsIm5ld0tleUlkIjoiLi4uIn0=",
                "signatures": [{"keyid": "", "sig": "c2lnbmF0dXJl"}],
            },
            "old_not_after": "2026-12-31T00:00:00Z",
        },
        problems=["not-found", *DECIDING],
    )
    def post(self, request: Request, key_id: str) -> Response:
        Query(request)
        form = body.read_json(request, RotationForm)
        submitted = decide_signers.rotate_key(
            _key_id(key_id),
            form.public_key.encode(),
            bytes(form.endorsement),
            person=caller(request).name,
            name=form.name,
            old_not_after_us=moment(form.old_not_after, "$.old_not_after"),
            ecdsa_encoding=form.ecdsa_encoding,
        )
        return decided(submitted.receipt, status=201)


def _key_id(text: str) -> str:
    if not _SIGNER.fullmatch(text):
        raise MalformedError(
            "A key id is 64 lowercase hex digits, for an identity after `identity:`.", where="key_id"
        )
    return text


def moment(text: str | None, where: str) -> int | None:
    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except MalformedError as error:
        raise MalformedError(error.message, where=where) from error


def decided(receipt: Receipt, *, status: int, prefix: str = "") -> Response:
    """The first subject of a decision about a key is the key: its SHA-256 is the key id."""
    key_id = prefix + receipt.subjects[0].digest["sha256"]
    return Response(
        KeyDecided(key_id, receipt), status=status, headers={"Location": f"/api/v1/keys/{key_id}"}
    )


def _answer(record: KeyRecord) -> KeyAnswer:
    scopes = record.scopes
    return KeyAnswer(
        key_id=record.key_id,
        name=record.name,
        role=record.role,
        algorithm=record.algorithm,
        state=record.state,
        state_reason=record.state_reason,
        scopes=ScopesForm(scopes.any, scopes.predicate_types, scopes.builders, scopes.subjects, scopes.kinds),
        not_before=_time(record.not_before_us),
        not_after=_time(record.not_after_us),
        index=record.index,
        registered_at=rfc3339(record.registered_us),
        revocations=tuple(
            RevocationAnswer(rfc3339(r.from_us), r.reason, r.compromised, r.index) for r in record.revocations
        ),
        signed=record.signed,
        last_signed_at=_time(record.last_signed_us),
        issuer=record.issuer,
        subject=record.subject,
        root=record.root,
        vouched_by=record.vouched_by,
    )


def _time(us: int | None) -> str | None:
    return None if us is None else rfc3339(us)
