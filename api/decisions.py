"""Decisions of people and programs: each is a signed entry that names who decided."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.openapi import AFTER, AS_OF, LIMIT, Parameter, describe
from api.query import Query
from lineage.services import decision_records
from lineage.services.decision_records import DecisionPage


class Decisions(Call):
    @describe(
        "decisions_list",
        "List decisions, newest first",
        "Keys registered and revoked, and the bootstrap of the log.",
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
