"""Signers by certificate: identities that may sign, and the roots of trust that vouch for them."""

from __future__ import annotations

import re

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.base import Call, caller
from api.keys import KeyDecided, RevocationAnswer, RevocationForm, ScopesForm, decided, moment
from api.openapi import AS_OF, DECIDING, Parameter, describe
from api.query import Query
from lineage.errors import MalformedError
from lineage.services import decide_signers, key_records
from lineage.services.receipts import Receipt
from lineage.services.records import log_size
from lineage.trust import identities
from lineage.trust.leaf import parse_rfc3339, rfc3339
from lineage.trust.roots import RootKind

ROOT_ID = "Root id: hex SHA-256 of its material"
_ROOT = re.compile("[0-9a-f]{64}")
_EXAMPLE_ROOT = "6494e21ea73fa7ee769f85f57d5a3e6a08725eae1e38c755fc3517c9e6bc0b66"


class IdentityForm(msgspec.Struct, forbid_unknown_fields=True):
    """An identity to register: whoever holds a certificate of `root` for `subject` of `issuer`.

    `issuer` is the OIDC issuer of a Sigstore certificate; "" for an X.509 root. In `subject` (a subject
    alternative name) `*` stands for any text. Times are RFC 3339.
    """

    name: str
    subject: str
    root: str
    scopes: ScopesForm
    issuer: str = ""
    not_before: str | None = None
    not_after: str | None = None


class RootForm(msgspec.Struct, forbid_unknown_fields=True):
    """Trust material to adopt, as text: a Sigstore trusted_root.json, or PEM certificates."""

    name: str
    kind: RootKind
    material: str


class RootAnswer(msgspec.Struct, frozen=True):
    """An adopted root; `identities` counts the registered identities that it vouches for."""

    root_id: str
    kind: str
    name: str
    index: int
    adopted_at: str
    revocations: tuple[RevocationAnswer, ...]
    identities: int


class RootList(msgspec.Struct, frozen=True):
    """Every root adopted below the tree size, newest first."""

    tree_size: int
    roots: list[RootAnswer]


class RootDecided(msgspec.Struct, frozen=True):
    """The root that a decision is about, and the receipt of the decision's entry."""

    root_id: str
    decision: Receipt


class Identities(Call):
    scopes = {"POST": "operate"}  # noqa: RUF012

    @describe(
        "identities_register",
        "Register an identity",
        "Appends a signed decision that names the caller. From then on, Sigstore bundles and envelopes with "
        "certificates of this identity are taken. Identities are listed with the keys.",
        answer=KeyDecided,
        example="key-decided",
        status=201,
        says="The identity, and the receipt of the decision.",
        body=IdentityForm,
        body_example={
            "name": "release workflow",
            "issuer": "https://token.actions.githubusercontent.com",
            "subject": "https://github.com/example/models/.github/workflows/release.yml@refs/tags/*",
            "root": _EXAMPLE_ROOT,
            "scopes": {
                "predicate_types": ["https://slsa.dev/provenance/v1"],
                "builders": ["https://github.com/actions/runner"],
            },
        },
        problems=["not-found", *DECIDING],
    )
    def post(self, request: Request) -> Response:
        Query(request)
        form = body.read_json(request, IdentityForm)
        submitted = decide_signers.register_identity(
            form.issuer,
            form.subject,
            _root_id(form.root),
            form.name,
            form.scopes.scopes(),
            person=caller(request).name,
            not_before_us=moment(form.not_before, "$.not_before"),
            not_after_us=moment(form.not_after, "$.not_after"),
        )
        return decided(submitted.receipt, status=201, prefix=identities.PREFIX)


class Roots(Call):
    scopes = {"GET": "read", "HEAD": "read", "POST": "operate"}  # noqa: RUF012

    @describe(
        "roots_list",
        "List roots of trust",
        "What certificates may chain to.",
        answer=RootList,
        example="roots",
        parameters=[Parameter("as_of", AS_OF)],
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        when = Query(request, ["as_of"]).as_of()
        answers = [
            RootAnswer(
                root.root_id,
                root.kind,
                root.name,
                root.index,
                rfc3339(root.adopted_us),
                tuple(
                    RevocationAnswer(rfc3339(r.from_us), r.reason, r.compromised, r.index)
                    for r in root.revocations
                ),
                root.identities,
            )
            for root in key_records.list_roots(when)
        ]
        return Response(RootList(log_size(when), answers))

    @describe(
        "roots_adopt",
        "Adopt a root of trust",
        "Appends a signed decision that holds the material itself. A root lets nobody sign by itself: that "
        "needs an identity.",
        answer=RootDecided,
        example="root-decided",
        status=201,
        says="The root, and the receipt of the decision.",
        body=RootForm,
        body_example={
            "name": "our signing CA",
            "kind": "x509",
            "material": "-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n",
        },
        problems=DECIDING,
    )
    def post(self, request: Request) -> Response:
        Query(request)
        form = body.read_json(request, RootForm)
        submitted = decide_signers.adopt_root(
            form.material.encode(), form.kind, form.name, person=caller(request).name
        )
        return _decided(submitted.receipt)


class RevokeRoot(Call):
    scopes = {"POST": "operate"}  # noqa: RUF012

    @describe(
        "roots_revoke",
        "Revoke a root of trust",
        "Appends a signed decision. What identities of this root signed that entered the log from `from` on "
        "is not believed any more.",
        answer=RootDecided,
        example="root-decided",
        status=201,
        says="The root, and the receipt of the decision.",
        path={"root_id": ROOT_ID},
        body=RevocationForm,
        body_example={
            "from": "2026-11-01T00:00:00Z",
            "reason": "the CA was broken into",
            "compromised": True,
        },
        problems=["not-found", *DECIDING],
    )
    def post(self, request: Request, root_id: str) -> Response:
        Query(request)
        form = body.read_json(request, RevocationForm)
        submitted = decide_signers.revoke_root(
            _root_id(root_id),
            parse_rfc3339(form.from_),
            form.reason,
            person=caller(request).name,
            compromised=form.compromised,
        )
        return _decided(submitted.receipt)


def _root_id(text: str) -> str:
    if not _ROOT.fullmatch(text):
        raise MalformedError("A root id is 64 lowercase hex digits.", where="root")
    return text


def _decided(receipt: Receipt) -> Response:
    """The first subject of a decision about a root is the root: its SHA-256 is the root id."""
    answer = RootDecided(receipt.subjects[0].digest["sha256"], receipt)
    return Response(answer, status=201, headers={"Location": "/api/v1/roots"})
