"""How complete the statements about a thing's lineage are, with what closes each gap; as a file too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage.services import completeness, lineage
from lineage.services.lineage_records import Gap
from lineage.web.downloads import csv_response
from lineage.web.lineage_pages import section_of
from lineage.web.pages import Page

CSV_HEADER = ("key", "name", "gap", "what", "closes", "predicate_type", "signers", "command")


class CompletenessPage(Page):
    """The list in pages; `?format=csv` is the whole of it."""

    template_name = "completeness.html"

    def get(self, request: HttpRequest, key: str) -> HttpResponseBase:
        if request.GET.get("format") == "csv":
            return csv_response("completeness", CSV_HEADER, _rows(completeness.every_gap(key, self.as_of)))
        found = completeness.completeness(key, self.as_of, after=request.GET.get("after", ""))
        node = lineage.node(key, self.as_of)
        return self.render(found=found, node=node, section=section_of(node))


def _rows(gaps: Iterable[Gap]) -> Iterator[tuple[object, ...]]:
    for gap in gaps:
        signers = ", ".join(gap.signers)
        yield gap.key, gap.name, gap.slug, gap.what, gap.closes, gap.predicate_type, signers, gap.command
