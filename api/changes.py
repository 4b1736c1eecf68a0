"""The difference of two moments for programs."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.openapi import AFTER, LIMIT, Parameter, describe
from api.query import Query
from lineage.services import changes

MOMENT = "A tree size, or an ISO 8601 date or time (UTC where it has no offset)"


class Changes(Call):
    @describe(
        "changes",
        "What changed between two moments",
        "Entries that came, nodes that are new or have another status, and how many of each. What changed "
        "and changed back in between is no difference.",
        answer=changes.Changes,
        example="changes",
        parameters=[
            Parameter("from", f"{MOMENT}; absent: a day before the other one"),
            Parameter("to", f"{MOMENT}; absent: now"),
            Parameter("after", AFTER),
            Parameter("after_entry", "`next_entry` of the page before: further entries"),
            Parameter("limit", LIMIT, whole=True),
        ],
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        query = Query(request, ["from", "to", "after", "after_entry", "limit"])
        earlier, later = changes.resolve(query.text("from"), query.text("to"))
        return Response(
            changes.between(
                earlier,
                later,
                after=query.text("after"),
                after_entry=query.text("after_entry"),
                limit=query.limit(),
            )
        )
