"""In-toto layouts: adopted and withdrawn by signed decisions, and verdicts on artifacts by them."""

from __future__ import annotations

from typing import Any

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.base import Call, caller
from api.keys import EXAMPLE_PEM
from api.openapi import AS_OF, DECIDING, Parameter, describe
from api.query import Query
from lineage.errors import MalformedError
from lineage.services import layout_records, layout_verdicts, layouts
from lineage.services.as_of import AsOf
from lineage.services.layout_handed import Handed
from lineage.services.layout_records import Adopted, Decided
from lineage.services.layout_verdicts import Verdict
from lineage.services.receipts import Receipt, Submitted
from lineage.services.records import log_size
from lineage.trust import dsse, strictjson
from lineage.trust.leaf import rfc3339

LAYOUT_ID = "Layout id: hex SHA-256 of the layout's bytes"
MAX_VERIFY_BYTES = 4 << 20
"""Links are base64 in the body, so a third larger than they are."""
_DATA = "eyJzaWduZWQiOnsuLi59LCJzaWduYXR1cmVzIjpbLi4uXX0="


class LayoutForm(msgspec.Struct, forbid_unknown_fields=True):
    """A signed layout to adopt. `layout` is base64 of the file; `owners` are PEM keys that all signed it."""

    name: str
    layout: str
    owners: list[str]
    reason: str


class LayoutWithdrawal(msgspec.Struct, forbid_unknown_fields=True):
    """Why nothing is to be checked against the layout any more."""

    reason: str


class HandedForm(msgspec.Struct, forbid_unknown_fields=True):
    """A file with a link or sublayout that is not in the log; `content` is base64 of its bytes.

    A sublayout stands for the step in its name, `<step>.<8 hex digits>.link`; any other name stands for any.
    """

    name: str
    content: str


class VerifyForm(msgspec.Struct, forbid_unknown_fields=True):
    """`artifact` is a node key. `links` become part of the verdict's entry; at most 100 files and 2 MiB."""

    artifact: str
    links: list[HandedForm] = []


class LayoutDecided(msgspec.Struct, frozen=True):
    """Who decided when, in which entry, and why; `digest` names the entry's envelope."""

    index: int
    digest: str
    at: str
    person: str
    reason: str


class LayoutStep(msgspec.Struct, frozen=True):
    """What a layout asks of one step. Rules are in in-toto's words; `keys` are those of the layout."""

    name: str
    threshold: int
    keys: tuple[str, ...]
    by_certificate: bool
    materials: tuple[str, ...]
    products: tuple[str, ...]


class LayoutAnswer(msgspec.Struct, frozen=True):
    """An adopted layout. `withdrawn` is null while it is in force; `state`: in-force, expired, withdrawn."""

    layout_id: str
    name: str
    state: str
    expires: str
    owners: tuple[str, ...]
    inspections: tuple[str, ...]
    steps: tuple[LayoutStep, ...]
    adopted: LayoutDecided
    withdrawn: LayoutDecided | None


class LayoutList(msgspec.Struct, frozen=True):
    """Every layout that was adopted below the tree size, newest first."""

    tree_size: int
    layouts: list[LayoutAnswer]


class VerdictAnswer(msgspec.Struct, frozen=True):
    """A verdict in the log. `outcome` is verified, refuted or inconclusive; `report` has it step by step.

    `since` says what is otherwise by now: a link that is not believed any more, a layout that is over.
    """

    digest: str
    index: int
    received_at: str
    artifact: str
    layout_id: str
    person: str
    result: str
    outcome: str
    reasons: tuple[str, ...]
    since: tuple[str, ...]
    report: dict[str, Any]


class VerdictList(msgspec.Struct, frozen=True):
    """Verdicts by a layout, newest first."""

    tree_size: int
    verdicts: list[VerdictAnswer]


class VerdictGiven(msgspec.Struct, frozen=True):
    """The verdict, and the receipt of its entry."""

    verdict: VerdictAnswer
    entry: Receipt


class LayoutChanged(msgspec.Struct, frozen=True):
    """The layout that a decision is about, and the receipt of the decision's entry."""

    layout_id: str
    decision: Receipt


class Layouts(Call):
    scopes = {"GET": "read", "HEAD": "read", "POST": "operate"}  # noqa: RUF012

    @describe(
        "layouts_list",
        "List layouts",
        "Signed in-toto layouts that operators adopted, with what each asks of its steps.",
        answer=LayoutList,
        example="layouts",
        parameters=[Parameter("as_of", AS_OF)],
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        moment = Query(request, ["as_of"]).as_of()
        found = layout_records.below(log_size(moment)).values()
        return Response(LayoutList(log_size(moment), [answer(each, moment) for each in found]))

    @describe(
        "layouts_adopt",
        "Adopt a layout",
        "Appends a decision, signed by the platform's key, that names the caller and holds the layout. Each "
        "owner's key that is given has to have signed it.",
        answer=LayoutChanged,
        example="layout-changed",
        status=201,
        says="The layout, and the receipt of the decision.",
        body=LayoutForm,
        body_example={
            "name": "release of credit-risk",
            "layout": _DATA,
            "owners": [EXAMPLE_PEM],
            "reason": "agreed with the owner on 3 March",
        },
        problems=DECIDING,
    )
    def post(self, request: Request) -> Response:
        Query(request)
        form = body.read_json(request, LayoutForm)
        data = _decoded(form.layout, "layout")
        owners = [owner.encode() for owner in form.owners]
        done = layouts.adopt(data, owners, form.name, form.reason, person=caller(request).name)
        return _changed(done)


class Layout(Call):
    @describe(
        "layouts_read",
        "One layout",
        "What it asks, who signed it, who adopted it.",
        answer=LayoutAnswer,
        example="layout",
        parameters=[Parameter("as_of", AS_OF)],
        path={"layout_id": LAYOUT_ID},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, layout_id: str) -> Response:
        moment = Query(request, ["as_of"]).as_of()
        return Response(answer(layout_records.one(layout_id, moment), moment))


class Withdraw(Call):
    scopes = {"POST": "operate"}  # noqa: RUF012

    @describe(
        "layouts_withdraw",
        "Withdraw a layout",
        "Appends a signed decision. Nothing is checked against it any more; verdicts stay, and say so.",
        answer=LayoutChanged,
        example="layout-changed",
        status=201,
        says="The layout, and the receipt of the decision.",
        path={"layout_id": LAYOUT_ID},
        body=LayoutWithdrawal,
        body_example={"reason": "replaced by the layout of 2027"},
        problems=["not-found", *DECIDING],
    )
    def post(self, request: Request, layout_id: str) -> Response:
        Query(request)
        form = body.read_json(request, LayoutWithdrawal)
        return _changed(layouts.withdraw(layout_id, form.reason, person=caller(request).name))


class Verify(Call):
    scopes = {"GET": "read", "HEAD": "read", "POST": "operate"}  # noqa: RUF012

    @describe(
        "layouts_verdicts",
        "Verdicts by a layout",
        "Newest first, each with its report step by step.",
        answer=VerdictList,
        example="verdicts",
        parameters=[Parameter("as_of", AS_OF)],
        path={"layout_id": LAYOUT_ID},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, layout_id: str) -> Response:
        moment = Query(request, ["as_of"]).as_of()
        layout_records.one(layout_id, moment)
        found = layout_verdicts.of_layout(layout_id, moment)
        return Response(VerdictList(log_size(moment), [_verdict(each) for each in found]))

    @describe(
        "layouts_verify",
        "Check an artifact against a layout",
        "Takes the links about the artifact that are in the log and believed, and the files in `links`, "
        "which is how classic (Metablock) links and sublayouts come in. Signers that the log believes no "
        "more count in neither. The verdict is appended as a SLSA verification summary, signed by the "
        "platform's key. Commands of a layout are never run: a layout that has some is inconclusive.",
        answer=VerdictGiven,
        example="verdict-given",
        status=201,
        says="The verdict, and the receipt of its entry.",
        path={"layout_id": LAYOUT_ID},
        body=VerifyForm,
        body_example={
            "artifact": "sha256:52947cb78b91ad01fe81cd6aef42d1f6817e92b9e6936c1e5aabb7c98514f355",
            "links": [{"name": "package.2f89b927.link", "content": _DATA}],
        },
        problems=["not-found", *DECIDING],
    )
    def post(self, request: Request, layout_id: str) -> Response:
        query = Query(request)
        form = _read(request)
        handed = [
            Handed(each.name, _decoded(each.content, f"links[{i}].content"))
            for i, each in enumerate(form.links)
        ]
        done = layout_verdicts.verify(layout_id, form.artifact, handed, person=caller(request).name)
        found = layout_verdicts.one(done.receipt.digest, query.as_of())
        return Response(
            VerdictGiven(_verdict(found), done.receipt),
            status=201,
            headers={"Location": done.receipt.links["self"]},
        )


def _read(request: Request) -> VerifyForm:
    """The body, which may be larger than others: links are in it."""
    body.media_type(request, ("application/json",))
    data = body.read(request, MAX_VERIFY_BYTES)
    strictjson.check(data, what="the body")
    try:
        return msgspec.json.decode(data, type=VerifyForm)
    except msgspec.DecodeError as error:
        raise strictjson.mismatch(error, "The body has another form") from None


def _decoded(text: str, where: str) -> bytes:
    data = dsse.decode_base64(text, where=where)
    if not data:
        raise MalformedError("The file is empty.", where=where)
    return data


def _changed(done: Submitted) -> Response:
    layout_id = done.receipt.subjects[0].digest["sha256"]
    return Response(
        LayoutChanged(layout_id, done.receipt),
        status=201,
        headers={"Location": f"/api/v1/layouts/{layout_id}"},
    )


def answer(adopted: Adopted, moment: AsOf) -> LayoutAnswer:
    """A layout as calls answer it."""
    asked = layout_records.asked(adopted)
    return LayoutAnswer(
        adopted.layout_id,
        adopted.name,
        layout_records.state(adopted, asked, moment),
        asked.expires,
        tuple(owner.key_id for owner in adopted.owners),
        asked.inspections,
        tuple(
            LayoutStep(
                step.name,
                step.threshold,
                step.pubkeys,
                bool(step.constraints),
                tuple(" ".join(rule) for rule in step.materials),
                tuple(" ".join(rule) for rule in step.products),
            )
            for step in asked.steps
        ),
        _decision(adopted.adopted),
        None if adopted.withdrawn is None else _decision(adopted.withdrawn),
    )


def _decision(made: Decided) -> LayoutDecided:
    return LayoutDecided(made.index, made.digest, rfc3339(made.received_us), made.person, made.reason)


def _verdict(found: Verdict) -> VerdictAnswer:
    return VerdictAnswer(
        found.digest,
        found.index,
        found.received_at,
        found.artifact,
        found.layout_id,
        found.person,
        found.summary.result,
        found.summary.outcome,
        found.summary.reasons,
        found.since,
        found.report,
    )
