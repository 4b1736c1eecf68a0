"""OpenLineage: `POST /api/v1/lineage` and `/api/v1/lineage/batch`, as its clients send events.

A foreign contract: no trailing slash and never a redirect (a client then sends GET, and loses the event), and
503 instead of 429, which clients don't repeat.
Source: OpenLineage, spec/OpenLineage.yml; openlineage-python, client/transport/http.py.
"""

from __future__ import annotations

from typing import Any

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body, encoded
from api.base import Call, caller
from api.openapi import describe
from api.query import Query
from lineage.errors import LineageError, RateLimitedError, UnavailableError
from lineage.services import openlineage
from lineage.services.openlineage import MAX_BATCH_BYTES, RecordedEvent
from lineage.services.openlineage_events import MAX_EVENT_BYTES

EVENT: dict[str, Any] = {
    "eventType": "COMPLETE",
    "eventTime": "2026-03-01T23:10:04.125Z",
    "producer": "https://airflow.acme.example",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    "run": {"runId": "0195553a-7b1c-7d2e-8f3a-4b5c6d7e8f90"},
    "job": {"namespace": "acme-airflow", "name": "claims.prepare_2025"},
    "inputs": [{"namespace": "postgres://claims-db.acme.example:5432", "name": "claims.public.claims"}],
    "outputs": [{"namespace": "s3://acme-data", "name": "claims/2025/claims-2025.parquet"}],
}
PROBLEMS = ["malformed", "too-large", "unsupported-media-type", "unavailable", "rolled-back"]


class BatchSummary(msgspec.Struct, frozen=True):
    received: int
    successful: int
    failed: int


class FailedEvent(msgspec.Struct, frozen=True):
    """`index` counts from 0; a `retriable` event may be taken later as it is."""

    index: int
    reason: str
    retriable: bool


class BatchAnswer(msgspec.Struct, frozen=True):
    """`status` is `partial_success`, or `failure` where no event was taken."""

    status: str
    summary: BatchSummary
    failed_events: list[FailedEvent]


class OpenLineageCall(Call):
    scopes = {"POST": "attest"}  # noqa: RUF012

    def check_throttles(self, request: Request) -> None:
        """Raises: UnavailableError, which clients wait for and repeat."""
        try:
            super().check_throttles(request)
        except RateLimitedError as error:
            raise UnavailableError(error.message, retry_after=error.retry_after, hint=error.hint) from error


class Event(OpenLineageCall):
    @describe(
        "openlineage_event",
        "An OpenLineage event",
        "For OpenLineage clients: a RunEvent, JobEvent or DatasetEvent. It is recorded as *observed*, signed "
        "by the collector: nothing becomes verified by it. 200 for an event that was sent before. "
        "`Content-Encoding: gzip` is taken; at most 5 MiB. A facet `lineage_digest` (`sha256`) on a data set "
        "names its bytes; one of `lineage_attestation` (`dsse`) is taken in as an attestation; if that "
        "is refused the event is recorded all the same. Too many requests are answered with 503.",
        answer=RecordedEvent,
        example="openlineage-recorded",
        status=201,
        says="It is in the log.",
        also={200: "It was in the log before."},
        body=dict,
        body_example=EVENT,
        problems=PROBLEMS,
    )
    def post(self, request: Request) -> Response:
        data = _body(request, MAX_EVENT_BYTES)
        recorded = openlineage.record(data, token=caller(request).name)
        return Response(recorded, status=201 if recorded.created else 200)


class Batch(OpenLineageCall):
    @describe(
        "openlineage_batch",
        "OpenLineage events",
        "A JSON array of at most 1,000 events and 16 MiB, each as at `/lineage`. 204 where all were taken; "
        "else 200, and which were not. One bad event harms no other.",
        answer=BatchAnswer,
        example="openlineage-batch",
        says="Some events were not taken.",
        also={204: "All events are in the log."},
        body=list,
        body_example=[EVENT],
        problems=PROBLEMS,
    )
    def post(self, request: Request) -> Response:
        events = openlineage.split(_body(request, MAX_BATCH_BYTES))
        outcomes = openlineage.record_all(events, token=caller(request).name)
        failed = [
            FailedEvent(index, outcome.message, openlineage.retriable(outcome))
            for index, outcome in enumerate(outcomes)
            if isinstance(outcome, LineageError)
        ]
        if not failed:
            return Response(status=204)
        taken = len(outcomes) - len(failed)
        summary = BatchSummary(len(outcomes), taken, len(failed))
        return Response(BatchAnswer("partial_success" if taken else "failure", summary, failed))


def _body(request: Request, limit: int) -> bytes:
    Query(request)
    body.media_type(request, ("application/json",), encodings=encoded.ENCODINGS)
    return encoded.read(request, limit)
