"""Proposals: decisions that wait for a second person. Approving and rejecting is for people, signed in."""

from __future__ import annotations

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.base import Call, caller
from api.openapi import AFTER, DECIDING, LIMIT, Parameter, describe
from api.query import Query
from lineage.services import approvals, proposal_records
from lineage.services.proposal_records import ProposalPage, ProposalRecord
from lineage.services.receipts import Receipt

NUMBER = "The proposal's number"


class Approval(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing more is said: the proposal is approved as it stands."""


class Rejection(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is rejected."""

    reason: str


class Proposals(Call):
    @describe(
        "proposals_list",
        "List proposals, newest first",
        "Decisions that were proposed where LINEAGE_FOUR_EYES asks for a second person: a call that decides "
        "then answers 202 and the proposal. `state=open` leaves those that wait.",
        answer=ProposalPage,
        example="proposals",
        parameters=[
            Parameter("state", "Only those that wait.", options=("open",)),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        query = Query(request, ["state", "after", "limit"])
        state = query.choice("state", ("open",)) or ""
        after = query.number("after", 0, 0, 10**18 - 1) if query.text("after") else None
        return Response(proposal_records.listed(state=state, after=after, limit=query.limit()))


class Proposal(Call):
    @describe(
        "proposals_read",
        "One proposal",
        "What would be decided, who proposed it, and what became of it.",
        answer=ProposalRecord,
        example="proposal",
        path={"number": NUMBER},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, number: int) -> Response:
        Query(request)
        return Response(proposal_records.record(approvals.get(number)))


class Approve(Call):
    scopes = {"POST": "decide"}  # noqa: RUF012

    @describe(
        "proposals_approve",
        "Approve a proposal",
        "Appends the decision, which names who proposed and who approved it. For another person than the one "
        "who proposed it, with the role that the decision needs; API keys can't approve.",
        answer=Receipt,
        example="decided",
        status=201,
        says="The receipt of the decision's entry.",
        path={"number": NUMBER},
        body=Approval,
        body_example={},
        problems=["not-found", *DECIDING],
    )
    def post(self, request: Request, number: int) -> Response:
        Query(request)
        body.read_json(request, Approval)
        receipt = approvals.approve(number, caller(request)).receipt
        return Response(receipt, status=201, headers={"Location": receipt.links["self"]})


class Reject(Call):
    scopes = {"POST": "read"}  # noqa: RUF012  who proposed something may take it back, whatever the role

    @describe(
        "proposals_reject",
        "Reject a proposal, or take back one's own",
        "Ends the proposal without a decision. For people; API keys can't reject.",
        answer=ProposalRecord,
        example="proposal",
        path={"number": NUMBER},
        body=Rejection,
        body_example={"reason": "the key is not the one that we agreed on"},
        problems=["malformed", "not-found", "conflict", "too-large", "unsupported-media-type"],
    )
    def post(self, request: Request, number: int) -> Response:
        Query(request)
        form = body.read_json(request, Rejection)
        row = approvals.reject(number, caller(request), form.reason)
        return Response(proposal_records.record(row))
