"""MLflow's webhooks: `POST /api/v1/interop/mlflow/{name}`, signed with the source's own secret."""

from __future__ import annotations

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.base import PublicCall
from api.openapi import describe
from api.query import Query
from lineage.services import webhooks

MAX_BYTES = 1 << 20


class Taken(msgspec.Struct, frozen=True):
    """`job` is the sync that will look; null where the source is paused."""

    job: int | None


class Webhook(PublicCall):
    @describe(
        "interop_mlflow_webhook",
        "A webhook of MLflow",
        "Only a hint: the source is looked at sooner than its next poll, and nothing that the body says is "
        "believed. No API key: `X-MLflow-Signature` is checked under the source's webhook secret, together "
        "with `X-MLflow-Delivery-Id` and `X-MLflow-Timestamp`, which may be 5 minutes from now. A delivery "
        "that was taken before is a `conflict`.",
        answer=Taken,
        example="webhook-taken",
        status=202,
        says="The source will be looked at.",
        path={"name": "The source's name"},
        body=dict,
        body_example={
            "entity": "model_version",
            "action": "created",
            "timestamp": "2026-11-25T01:20:11.402113+00:00",
            "data": {"name": "credit-risk", "version": "3", "source": "models:/m-8a1f", "run_id": None},
        },
        problems=["malformed", "unauthenticated", "conflict", "too-large", "unsupported-media-type"],
        public=True,
    )
    def post(self, request: Request, name: str) -> Response:
        Query(request)
        body.media_type(request, ("application/json",))
        job_id = webhooks.take(
            name,
            delivery=request.META.get("HTTP_X_MLFLOW_DELIVERY_ID", ""),
            timestamp=request.META.get("HTTP_X_MLFLOW_TIMESTAMP", ""),
            signature=request.META.get("HTTP_X_MLFLOW_SIGNATURE", ""),
            content=body.read(request, MAX_BYTES),
        )
        return Response(Taken(job_id), status=202)
