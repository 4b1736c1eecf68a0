"""What is tainted, for programs: by which source, for which reason, and what of it is live."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.nodes import node_key
from api.openapi import AFTER, AS_OF, LIMIT, Parameter, describe
from api.query import Query
from lineage.services import tainted
from lineage.services.tainted import REASONS, TaintedPage, Wanted


class Tainted(Call):
    @describe(
        "tainted_list",
        "List what is tainted",
        "Each with its nearest source, why that taints, and how many edges away it is, the nearest first. "
        "Filters work together; with `incident`, `source` or `reason` the list is of all that these taint, "
        "also of what another source is nearer to. `live` deployments have not ended; a model is `live` that "
        "such a one uses.",
        answer=TaintedPage,
        example="tainted",
        parameters=[
            Parameter("incident", "Only what the node taints that this incident is on: its name"),
            Parameter("source", "Only what this node taints: its key"),
            Parameter("reason", "Only what is tainted for this reason", options=REASONS),
            Parameter("kind", "A node kind or an artifact's role"),
            Parameter("live", "`true`: only what is live", options=("true", "false")),
            Parameter("as_of", AS_OF),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        problems=["malformed", "not-found", "conflict"],
    )
    def get(self, request: Request) -> Response:
        query = Query(request, ["incident", "source", "reason", "kind", "live", "as_of", "after", "limit"])
        source = query.text("source")
        wanted = Wanted(
            incident=query.text("incident") or "",
            source=node_key(source, "source") if source else "",
            reason=query.choice("reason", REASONS) or "",
            kind=query.text("kind") or "",
            live=query.choice("live", ("true", "false")) == "true",
        )
        found = tainted.listed(
            wanted, query.as_of(), after=query.text("after"), limit=query.limit(tainted.PAGE)
        )
        return Response(found)
