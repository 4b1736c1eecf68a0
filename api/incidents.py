"""Incidents: which there are, and one with what it affects. They are opened and closed at `/decisions`."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.openapi import AFTER, AS_OF, LIMIT, Parameter, describe
from api.query import Query
from lineage.services import incidents
from lineage.services.impact import PAGE
from lineage.services.incidents import STATES, Incident, IncidentPage


class Incidents(Call):
    @describe(
        "incidents_list",
        "List incidents, newest first",
        "Opened by a decision on a node, over when it is closed, or by itself at its `until`. `open` counts "
        "all that are open at the moment, whatever the filters.",
        answer=IncidentPage,
        example="incidents",
        parameters=[
            Parameter("state", "Only these", options=STATES),
            Parameter("node", "Only those on this node key"),
            Parameter("as_of", AS_OF),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        query = Query(request, ["state", "node", "as_of", "after", "limit"])
        return Response(
            incidents.listed(
                query.as_of(),
                state=query.choice("state", STATES),
                key=query.text("node"),
                after=incidents.cursor(query.text("after")),
                limit=query.limit(50),
            )
        )


class OneIncident(Call):
    @describe(
        "incidents_read",
        "One incident",
        "What it is on, and the models, AI systems and deployments that came of that, nearest first, with "
        "one way to each; who was told; the decisions that belong to it. `after` and `limit` are of what it "
        "affects.",
        answer=Incident,
        example="incident",
        parameters=[
            Parameter("as_of", AS_OF),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        path={"digest": "The incident's name: the envelope that opened it, `sha256:<hex>`"},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, digest: str) -> Response:
        query = Query(request, ["as_of", "after", "limit"])
        found = incidents.read(digest, query.as_of(), after=query.text("after"), limit=query.limit(PAGE))
        return Response(found)
