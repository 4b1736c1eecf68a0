"""What nodes have in common and where they differ, for programs."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.nodes import KEY, node_key
from api.openapi import AFTER, AS_OF, LIMIT, Parameter, describe
from api.query import Query
from lineage.services import common_ancestors, difference


class CommonAncestors(Call):
    @describe(
        "nodes_common_ancestors",
        "What nodes have in common",
        "Everything that all of them were made from, nearest first: by the sum of the edges to each. A node "
        "counts as its own ancestor.",
        answer=common_ancestors.CommonAncestors,
        example="common_ancestors",
        parameters=[
            Parameter("with", "Keys of the other nodes, at most nine", required=True, repeated=True),
            Parameter("as_of", AS_OF),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        path={"key": KEY},
        problems=["malformed", "not-found", "conflict"],
    )
    def get(self, request: Request, key: str) -> Response:
        query = Query(request, ["as_of", "after", "limit"], repeated=["with"])
        keys = [node_key(key), *(node_key(other, "with") for other in query.texts("with"))]
        return Response(
            common_ancestors.common_ancestors(
                keys, query.as_of(), after=query.text("after"), limit=query.limit(common_ancestors.PAGE)
            )
        )


class Difference(Call):
    @describe(
        "difference",
        "Where two nodes differ in what they were made from",
        "What only the one was made from, only the other, and both, with counts over all and a page of each. "
        "The same node for both, with two moments, tells what changed in between; what is in both and stands "
        "otherwise comes first.",
        answer=difference.Difference,
        example="difference",
        parameters=[
            Parameter("from", "Node key", required=True),
            Parameter("to", "Node key", required=True),
            Parameter("as_of", AS_OF),
            Parameter("from_as_of", "The moment of `from`, where it is another one"),
            Parameter("part", "List the nodes of this part alone", options=difference.PARTS),
            Parameter("after", f"{AFTER} It needs the `part`."),
            Parameter("limit", LIMIT, whole=True),
        ],
        problems=["malformed", "not-found", "conflict"],
    )
    def get(self, request: Request) -> Response:
        query = Query(request, ["from", "to", "as_of", "from_as_of", "part", "after", "limit"])
        one, other = node_key(query.required("from"), "from"), node_key(query.required("to"), "to")
        moment = query.as_of()
        earlier = query.as_of("from_as_of") if query.text("from_as_of") else moment
        return Response(
            difference.difference(
                (one, earlier),
                (other, moment),
                part=query.choice("part", difference.PARTS),
                after=query.text("after"),
                limit=query.limit(difference.PAGE),
            )
        )
