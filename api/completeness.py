"""How complete the statements about a thing's lineage are, and what closes each gap."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.nodes import KEY
from api.openapi import AFTER, AS_OF, LIMIT, Parameter, describe
from api.query import Query
from lineage.services import completeness


class Completeness(Call):
    @describe(
        "nodes_completeness",
        "What a node's lineage lacks",
        "How many of the artifacts that it was made from a signed, believed statement is about, and every "
        "gap: the missing statement, which signers may make it by their scopes, and the command that does.",
        answer=completeness.Completeness,
        example="completeness",
        parameters=[
            Parameter("as_of", AS_OF),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        path={"key": KEY},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, key: str) -> Response:
        query = Query(request, ["as_of", "after", "limit"])
        found = completeness.completeness(
            key, query.as_of(), after=query.text("after"), limit=query.limit(completeness.PAGE)
        )
        return Response(found)
