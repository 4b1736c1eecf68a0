"""What a thing affects, for programs: models, AI systems and deployments by how far away they are."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.nodes import KEY, node_key
from api.openapi import AFTER, AS_OF, LIMIT, Parameter, describe
from api.query import Query
from lineage.services import impact

MOST = 200
"""Of a page: each comes with a path, which is a walk of its own."""


class Impact(Call):
    @describe(
        "nodes_impact",
        "What a node affects",
        "The blast radius of an artifact, run, key, machine, supplier or place: models, adapters and "
        "deployments that came of it, nearest first, each with one path there. `live` deployments have not "
        "ended; a model is `live` that such a one uses.",
        answer=impact.Impact,
        example="impact",
        parameters=[
            Parameter("live", "`true`: only what is live", options=("true", "false")),
            Parameter("as_of", AS_OF),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        path={"key": KEY},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, key: str) -> Response:
        query = Query(request, ["live", "as_of", "after", "limit"])
        return Response(
            impact.impact(
                node_key(key),
                query.as_of(),
                after=query.text("after"),
                limit=query.number("limit", impact.PAGE, 1, MOST),
                live=query.choice("live", ("true", "false")) == "true",
            )
        )
