"""Read-only Cypher for operators: `POST /api/v1/graph/cypher`.

Owns: the form on the wire. Does not own: what a query may do, its limits, the record of it
(`services.graph_query`).
"""

from __future__ import annotations

from typing import Any

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.base import Call, caller
from api.openapi import describe
from api.query import Query
from lineage.services import graph_query
from lineage.services.graph_query import Asked, Found

EXAMPLE = (
    "MATCH (m:Model)-[:WAS_GENERATED_BY]->(run)-[:USED]->(d:Dataset) WHERE m.key = $key "
    "RETURN d.name AS dataset, run, d.first AS entry"
)


class CypherForm(msgspec.Struct, forbid_unknown_fields=True):
    """A query with its `$parameters`. `limit` is the most rows, `seconds` the most time."""

    query: str
    parameters: dict[str, Any] = {}
    limit: int = graph_query.ROWS
    seconds: int = graph_query.SECONDS


class Cypher(Call):
    scopes = {"POST": "operate"}  # noqa: RUF012

    @describe(
        "graph_cypher",
        "Ask the graph in Cypher",
        "Reads only: Neo4j's own plan of the query is judged before it runs, and whatever is not known to "
        "only read is `forbidden`. Values that JSON has no form for are objects with a `$type`: node, "
        "relationship, path, integer (beyond 2^53), float (NaN, infinities), datetime, date, time, duration, "
        "point, bytes. `projected` of `tree_size` log entries were in Neo4j. Statuses are not there: they "
        "are derived, and are at /api/v1/nodes. Each query is recorded with who asked it. `not-found`: no "
        "Neo4j is configured; `too-large`: the answer or the time; `malformed` gives Neo4j's words.",
        answer=Found,
        example="cypher",
        body=CypherForm,
        body_example={"query": EXAMPLE, "parameters": {"key": "sha256:" + "9f" * 32}, "limit": 100},
        problems=[
            "malformed",
            "not-found",
            "too-large",
            "unsupported-media-type",
            "rate-limited",
            "unavailable",
        ],
    )
    def post(self, request: Request) -> Response:
        Query(request)
        form = body.read_json(request, CypherForm)
        asked = Asked(form.query, form.parameters, form.limit, form.seconds)
        return Response(graph_query.run(asked, caller(request).name))
