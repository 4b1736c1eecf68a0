"""What a thing affects: models, AI systems and deployments that came of it, by hop, with one way each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from lineage.services import impact
from lineage.services.lineage_records import NodeSummary
from lineage.web import words
from lineage.web.downloads import csv_response
from lineage.web.lineage_pages import section_of
from lineage.web.pages import Page

CSV_HEADER = ("key", "name", "kind", "roles", "status", "reasons", "tainted", "hops")


class ImpactPage(Page):
    """The list in pages; `?format=csv` is the whole of it as a file, without the ways there."""

    template_name = "impact.html"

    def get(self, request: HttpRequest, key: str) -> HttpResponseBase:
        if request.GET.get("format") == "csv":
            return csv_response("impact", CSV_HEADER, rows(impact.all_affected(key, self.as_of)))
        after = request.GET.get("after", "")
        found = impact.impact(key, self.as_of, after=after)
        return self.render(
            found=found,
            root=found.root,
            counts=words.counted(found.counts_by_kind),
            after=after,
            section=section_of(found.root),
        )


def rows(found: Iterable[tuple[NodeSummary, int]]) -> Iterator[tuple[object, ...]]:
    """Lines of a file under CSV_HEADER."""
    for node, hops in found:
        roles, reasons = " ".join(node.roles), " ".join(node.reasons)
        tainted = "yes" if node.tainted else "no"
        yield node.key, node.name, node.kind, roles, node.status, reasons, tainted, hops
