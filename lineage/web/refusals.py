"""The operators' page of envelopes that were not accepted."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage.db.configuration import Refusal, User
from lineage.errors import MalformedError
from lineage.services import refusals
from lineage.web.downloads import csv_response
from lineage.web.pages import Page

CSV_HEADER = ("at", "reason", "detail", "predicate_type", "subjects", "key_hints", "token", "digest")
PAGE_SIZE = 50


class Refusals(Page):
    """Newest first, 50 a page; `?reason=` takes one problem slug; `?format=csv` is all that is kept."""

    role = User.Role.OPERATOR
    rule = "refusals.see"
    section = "refusals"
    template_name = "refusals.html"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        rows = refusals.listed()
        slug = request.GET.get("reason", "")
        if slug:
            rows = rows.filter(slug=slug)
        if request.GET.get("format") == "csv":
            return csv_response("refusals", CSV_HEADER, map(_csv_row, rows.iterator(chunk_size=500)))
        total = rows.count()
        after = request.GET.get("after", "")
        if after:
            rows = rows.filter(pk__lt=_row_number(after))
        page = list(rows[: PAGE_SIZE + 1])
        more = len(page) > PAGE_SIZE
        page = page[:PAGE_SIZE]
        return self.render(refusals=page, total=total, next=page[-1].pk if more else None, slug=slug)


def _row_number(after: str) -> int:
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise MalformedError("This page of refusals does not exist.", where="after")
    return int(after)


def _csv_row(row: Refusal) -> tuple[object, ...]:
    return (
        row.at.isoformat(),
        row.slug,
        row.detail,
        row.predicate_type,
        row.subjects,
        row.key_hints,
        row.token,
        f"sha256:{row.digest}",
    )
