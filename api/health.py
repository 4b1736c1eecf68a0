"""Health for load balancers, figures for OpenMetrics scrapers. No API key is needed.

Owns: these three addresses. Does not own: what is told (`condition`, `metrics`).
"""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import PublicCall
from api.openapi import describe
from lineage.services import condition, metrics
from lineage.services.condition import Condition


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
        "503. `lag` is how many entries the graph is behind the log. `services` names each service with its "
        "state (ok, degraded, down, off) and the reason: only database, migrations and log decide readiness.",
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
        "Appends, refusals by reason, how far checkpoints and each graph backend are, nodes by status, jobs, "
        "age of the workers' beats; of this server its request times, open waits and database connections.",
        media="application/openmetrics-text",
        public=True,
    )
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(metrics.exposition(), content_type=metrics.OPENMETRICS)
