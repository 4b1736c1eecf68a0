"""Health for load balancers, figures for OpenMetrics scrapers. No API key is needed.

Source: OpenMetrics 1.0 (text format).
"""

from __future__ import annotations

from collections.abc import Iterable

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import PublicCall
from api.openapi import describe
from lineage.services import as_of, condition, lineage
from lineage.services.condition import Condition

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
STATUSES = ("verified", "unverified", "expired", "failed", "tainted")


class Live(PublicCall):
    @describe(
        "health_live", "Whether the process answers", "Touches nothing.", answer=dict[str, str], public=True
    )
    def get(self, request: Request) -> Response:
        return Response({"status": "live"})


class Ready(PublicCall):
    @describe(
        "health_ready",
        "Whether requests can be answered",
        "200 once the database answers, its migrations are applied and the log has its first entry; else "
        "503. `lag` is how many entries the graph is behind the log.",
        answer=Condition,
        example="ready",
        also={503: "Not ready, and why."},
        public=True,
    )
    def get(self, request: Request) -> Response:
        found = condition.now()
        return Response(found, status=200 if found.ready else 503)


class Metrics(PublicCall):
    @describe(
        "metrics",
        "Figures in the OpenMetrics text format",
        "Sizes of log, published tree and graph; refused envelopes by reason; nodes by status.",
        media="application/openmetrics-text",
        public=True,
    )
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse("\n".join([*_lines(), "# EOF", ""]), content_type=OPENMETRICS)


def _lines() -> Iterable[str]:
    found = condition.now()
    yield from _family("lineage_ready", "gauge", "1 where requests can be answered.", {"": int(found.ready)})
    if not found.ready:
        return
    yield from _family("lineage_log_entries", "gauge", "Entries in the log.", {"": found.size})
    yield from _family(
        "lineage_log_published_entries", "gauge", "Entries under a checkpoint.", {"": found.published}
    )
    yield from _family(
        "lineage_graph_entries", "gauge", "Entries that the graph has followed.", {"": found.projected}
    )
    yield from _family(
        "lineage_refusals",
        "counter",
        "Envelopes that were refused.",
        {f'{{reason="{slug}"}}': count for slug, count in sorted(condition.refusals().items())},
    )
    counts = lineage.status_counts(as_of.resolve(None))
    yield from _family(
        "lineage_nodes",
        "gauge",
        "Nodes by status; tainted overlaps the others.",
        {f'{{status="{status}"}}': getattr(counts, status) for status in STATUSES},
    )


def _family(name: str, kind: str, text: str, samples: dict[str, int]) -> Iterable[str]:
    yield f"# TYPE {name} {kind}"
    yield f"# HELP {name} {text}"
    suffix = "_total" if kind == "counter" else ""
    for labels, value in samples.items():
        yield f"{name}{suffix}{labels} {value}"
