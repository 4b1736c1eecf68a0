"""Decisions of people and programs: each is a signed entry that names who decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body, forgetting
from api.base import Call, caller
from api.openapi import AFTER, AS_OF, DECIDING, LIMIT, Parameter, describe
from api.query import Query
from lineage.errors import MalformedError
from lineage.graph import check_policy
from lineage.services import decide_checks, decide_incidents, decide_taint, decision_records, withdraw
from lineage.services.decision_records import DecisionPage
from lineage.services.receipts import Receipt, Submitted
from lineage.trust.incident_decisions import Severity
from lineage.trust.leaf import parse_rfc3339

_ARTIFACT = "sha256:83c35b42cc40a9a5e1c37ef575e715c2e1f7e428674246fbe448497784e9ff6e"


class _Form(msgspec.Struct, forbid_unknown_fields=True, tag_field="action"):
    """A decision to be recorded; `action` says which."""


class AddLocation(_Form, tag="add-location"):
    """A copy of `artifact` (a node key) lies at `location`, a URI under a configured storage."""

    artifact: str
    location: str
    reason: str

    def decide(self, person: str) -> Submitted:
        return decide_checks.add_location(self.artifact, self.location, self.reason, person=person)


class WithdrawLocation(_Form, tag="withdraw-location"):
    """No copy of `artifact` lies at `location` any more, which somebody has stated."""

    artifact: str
    location: str
    reason: str

    def decide(self, person: str) -> Submitted:
        return decide_checks.withdraw_location(self.artifact, self.location, self.reason, person=person)


class Waive(_Form, tag="waive"):
    """`finding` does not make `artifact` failed, until a time (RFC 3339) or, with null, for ever."""

    artifact: str
    finding: Literal["unsafe-format"]
    until: str | None
    reason: str

    def decide(self, person: str) -> Submitted:
        until_us = _until(self.until)
        return decide_checks.waive(self.artifact, self.finding, until_us, self.reason, person=person)


class Criticality(_Form, tag="criticality"):
    """How critical `artifact` is; rules of the check policy may go by it."""

    artifact: str
    level: Literal["critical", "high", "normal", "low"]
    reason: str

    def decide(self, person: str) -> Submitted:
        return decide_checks.set_criticality(self.artifact, self.level, self.reason, person=person)


class Policy(_Form, tag="check-policy"):
    """`policy` is in force from this entry on: `default`, `rules`, `limits` (docs/checks.md)."""

    policy: msgspec.Raw

    def decide(self, person: str) -> Submitted:
        try:
            policy = check_policy.parse(bytes(self.policy))
        except MalformedError as error:
            where = error.where.replace("$", "$.policy", 1) if error.where.startswith("$") else "$.policy"
            raise MalformedError(error.message, hint=error.hint, where=where) from None
        return decide_checks.set_check_policy(policy, person=person)


class WithdrawStatement(_Form, tag="withdraw-statement"):
    """From this entry on nothing is believed that `statement` (`sha256:<hex>`) said, whoever signed it."""

    statement: str
    reason: str

    def decide(self, person: str) -> Submitted:
        return withdraw.withdraw(self.statement, self.reason, person=person)


class Designate(_Form, tag="designate"):
    """`node`, an artifact, run, machine, supplier or place, is bad: all that came of it is tainted.

    Until a time or, with null, until it is cleared.
    """

    node: str
    reason: str
    until: str | None = None
    incident: str = ""

    def decide(self, person: str) -> Submitted:
        return decide_taint.designate(
            self.node, self.reason, person=person, until_us=_until(self.until), incident=self.incident
        )


class Clear(_Form, tag="clear"):
    """`node` is designated as bad no longer."""

    node: str
    reason: str

    def decide(self, person: str) -> Submitted:
        return decide_taint.clear(self.node, self.reason, person=person)


class WaiveTaint(_Form, tag="waive-taint"):
    """No taint gets to `node` or through it, until a time or, with null, until another decision."""

    node: str
    until: str | None
    reason: str

    def decide(self, person: str) -> Submitted:
        return decide_taint.waive_taint(self.node, _until(self.until), self.reason, person=person)


class OpenIncident(_Form, tag="incident"):
    """An incident is opened on `node`; with `designates` the node is bad from this entry on.

    It ends when it is closed, or at a time, and what it designates with it.
    """

    node: str
    title: str
    severity: Severity
    reason: str
    owner: str = ""
    until: str | None = None
    designates: bool = False

    def decide(self, person: str) -> Submitted:
        return decide_incidents.open_incident(
            self.node,
            self.title,
            self.severity,
            self.reason,
            person=person,
            owner=self.owner,
            until_us=_until(self.until),
            designates=self.designates,
        )


class CloseIncident(_Form, tag="close-incident"):
    """The incident whose name is `incident` (`sha256:<hex>`) is over; `reason` says what came of it.

    With `clears` its node is designated as bad no longer.
    """

    incident: str
    reason: str
    clears: bool = False

    def decide(self, person: str) -> Submitted:
        return decide_incidents.close_incident(self.incident, self.reason, person=person, clears=self.clears)


Form = (
    AddLocation
    | WithdrawLocation
    | Waive
    | Criticality
    | Policy
    | WithdrawStatement
    | Designate
    | Clear
    | WaiveTaint
    | OpenIncident
    | CloseIncident
    | forgetting.RedactEnvelopes
    | forgetting.PlaceHold
    | forgetting.Release
    | forgetting.AdoptRetention
)
BODIES: Mapping[str, Any] = {
    "add-location": {
        "action": "add-location",
        "artifact": _ARTIFACT,
        "location": "s3://models/credit-risk.safetensors",
        "reason": "copied to the bucket of production",
    },
    "withdraw-location": {
        "action": "withdraw-location",
        "artifact": _ARTIFACT,
        "location": "file:///srv/models/credit-risk.safetensors",
        "reason": "the disk was taken out of use",
    },
    "waive": {
        "action": "waive",
        "artifact": _ARTIFACT,
        "finding": "unsafe-format",
        "until": "2027-03-31T00:00:00Z",
        "reason": "our own pickle, read line by line; it is converted by then",
    },
    "criticality": {
        "action": "criticality",
        "artifact": _ARTIFACT,
        "level": "critical",
        "reason": "it decides about loans",
    },
    "withdraw-statement": {
        "action": "withdraw-statement",
        "statement": _ARTIFACT,
        "reason": "it names the wrong dataset; a new one is signed",
    },
    "designate": {
        "action": "designate",
        "node": _ARTIFACT,
        "until": None,
        "incident": "INC-2026-114",
        "reason": "its labels were poisoned; the vendor confirmed it",
    },
    "clear": {"action": "clear", "node": _ARTIFACT, "reason": "the vendor was wrong; see the second report"},
    "waive-taint": {
        "action": "waive-taint",
        "node": _ARTIFACT,
        "until": "2027-03-31T00:00:00Z",
        "reason": "evaluated again without the poisoned part; retrained by then",
    },
    "incident": {
        "action": "incident",
        "node": _ARTIFACT,
        "title": "Poisoned labels in the claims data",
        "severity": "high",
        "reason": "the vendor told us on the telephone; see ticket 4711",
        "owner": "data office",
        "until": None,
        "designates": True,
    },
    "close-incident": {
        "action": "close-incident",
        "incident": _ARTIFACT,
        "reason": "all models were trained again without it",
        "clears": False,
    },
    **forgetting.BODIES,
    "check-policy": {
        "action": "check-policy",
        "policy": {
            "default": {"full": "30d"},
            "rules": [
                {
                    "name": "what decides about people",
                    "every": {"quick": "1h", "content": "1d", "full": "7d"},
                    "roles": ["model"],
                    "criticality": ["critical"],
                }
            ],
            "limits": [
                {"location": "s3://models", "bytesPerSecond": 50_000_000, "quietHours": ["08:00-18:00"]}
            ],
        },
    },
}  # fmt: skip


class Decisions(Call):
    scopes = {"GET": "read", "HEAD": "read", "POST": "decide"}  # noqa: RUF012

    @describe(
        "decisions_list",
        "List decisions, newest first",
        "Keys registered and revoked, the bootstrap of the log, where copies lie, how they are checked, what "
        "is waived, critical or bad, incidents, which statements were withdrawn, what was redacted or held.",
        answer=DecisionPage,
        example="decisions",
        parameters=[
            Parameter("as_of", AS_OF),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        query = Query(request, ["as_of", "after", "limit"])
        after = query.number("after", 0, 0, 10**18 - 1) if query.text("after") else None
        return Response(decision_records.listed(query.as_of(), after=after, limit=query.limit()))

    @describe(
        "decisions_record",
        "Record a decision",
        "Appends an entry, signed by the platform's key, that names the caller. `action` says what is "
        "decided: that a copy lies at a location or no more, that an unsafe format is waived, how critical "
        "an artifact is, what is bad and where taint stops, that an incident is open or over, that a "
        "statement is withdrawn, or the check policy; that envelopes are redacted, or held and released, and "
        "for how long what is kept. Keys have calls of their own.",
        answer=Receipt,
        example="decided",
        status=201,
        says="The receipt of the decision's entry.",
        body=Form,
        body_examples=BODIES,
        problems=["not-found", *DECIDING],
    )
    def post(self, request: Request) -> Response:
        Query(request)
        form = body.read_json(request, cast("type[Form]", Form))
        receipt = form.decide(caller(request).name).receipt
        return Response(receipt, status=201, headers={"Location": receipt.links["self"]})


def _until(text: str | None) -> int | None:
    try:
        return None if text is None else parse_rfc3339(text)
    except MalformedError as error:
        raise MalformedError(error.message, where="until") from None
