"""What was refused and why, for operators who mend a pipeline."""

from __future__ import annotations

from datetime import datetime

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.openapi import AFTER, ERRORS, LIMIT, Parameter, describe
from api.query import Query
from lineage.db.models import Refusal
from lineage.services import condition, refusals


class RefusalAnswer(msgspec.Struct, frozen=True):
    """One refused envelope. Predicate type, subjects and key hints are what it says of itself, unproven.

    `digest` is `sha256:<hex>` of its bytes, empty where its body was over the limit and never read.
    """

    at: datetime
    digest: str
    slug: str
    detail: str
    predicate_type: str
    subjects: list[str]
    key_hints: list[str]
    token: str


class RefusalList(msgspec.Struct, frozen=True):
    """Newest first. `counts` are all refusals ever, by slug; the list keeps the newest 10,000."""

    counts: dict[str, int]
    refusals: list[RefusalAnswer]
    next: str | None


class Refusals(Call):
    rule = "refusals.see"
    scopes = {"GET": "operate", "HEAD": "operate"}  # noqa: RUF012

    @describe(
        "refusals_list",
        "List refused envelopes, newest first",
        "Nothing of a refused envelope is in log or graph; here is why it was refused.",
        answer=RefusalList,
        example="refusals",
        parameters=[
            Parameter("slug", "Only refusals with this problem", options=tuple(ERRORS)),
            Parameter("after", AFTER),
            Parameter("limit", LIMIT, whole=True),
        ],
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        query = Query(request, ["slug", "after", "limit"])
        rows = refusals.listed()
        if slug := query.choice("slug", ERRORS):
            rows = rows.filter(slug=slug)
        if query.text("after"):
            rows = rows.filter(pk__lt=query.number("after", 0, 0, 10**18 - 1))
        limit = query.limit()
        page = list(rows[: limit + 1])
        more = str(page[limit - 1].pk) if len(page) > limit else None
        return Response(RefusalList(condition.refusals(), [_answer(row) for row in page[:limit]], more))


def _answer(row: Refusal) -> RefusalAnswer:
    return RefusalAnswer(
        at=row.at,
        digest=f"sha256:{row.digest}" if row.digest else "",
        slug=row.slug,
        detail=row.detail,
        predicate_type=row.predicate_type,
        subjects=row.subjects.splitlines(),
        key_hints=row.key_hints.splitlines(),
        token=row.token,
    )
