"""Jobs: what became of what was asked for."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.base import Call
from api.openapi import describe
from api.query import Query
from lineage.services import job_records
from lineage.services.job_records import JobRecord


class Job(Call):
    @describe(
        "jobs_read",
        "One job",
        "Queued, running with its progress, done with its result, or failed with the reason. Jobs are "
        "forgotten 30 days after their end; what they have appended stays in the log.",
        answer=JobRecord,
        example="job",
        path={"job_id": "The job's number"},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, job_id: int) -> Response:
        Query(request, [])
        return Response(job_records.read(job_id))
