"""Subscriptions: who is told by e-mail or webhook when something fails. A secret is told once."""

from __future__ import annotations

from typing import Literal

import msgspec
from rest_framework.request import Request
from rest_framework.response import Response

from api import body
from api.base import Call, caller
from api.openapi import describe
from api.query import Query
from lineage.services import subscriptions
from lineage.services.subscriptions import SubscriptionRecord, Tried

NUMBER = "The subscription's number"
BODY_PROBLEMS = ("malformed", "conflict", "too-large", "unsupported-media-type")
CREATED = 201


class NewSubscription(msgspec.Struct, forbid_unknown_fields=True):
    """`target`: an e-mail address, or the http(s) URL of a webhook."""

    kind: Literal["email", "webhook"]
    target: str


class SubscriptionChange(msgspec.Struct, forbid_unknown_fields=True):
    """`paused` stops and resumes; what happened meanwhile is told afterwards."""

    paused: bool


class SubscriptionList(msgspec.Struct, frozen=True):
    """Every subscription, the oldest first."""

    subscriptions: list[SubscriptionRecord]


class SubscriptionMade(msgspec.Struct, frozen=True):
    """A new subscription. `secret`: what a webhook's messages are signed with, told this once; else empty."""

    subscription: SubscriptionRecord
    secret: str


class Subscriptions(Call):
    scopes = {"GET": "decide", "HEAD": "decide", "POST": "decide"}  # noqa: RUF012

    @describe(
        "subscriptions_list",
        "List subscriptions",
        "Who is told when an artifact fails or is overdue, or a storage can't be reached. For officers and "
        "operators: a target may be known to them alone.",
        answer=SubscriptionList,
        example="subscriptions",
        problems=["malformed"],
    )
    def get(self, request: Request) -> Response:
        Query(request, [])
        return Response(SubscriptionList(subscriptions.listed()))

    @describe(
        "subscriptions_add",
        "Subscribe",
        "From now on; what failed before is not told, storages that are gone already are. Mail needs "
        "LINEAGE_EMAIL_URL. A webhook is signed as in the Standard Webhooks specification (`webhook-id`, "
        "`webhook-timestamp`, `webhook-signature`) and must answer 2xx; one on a private network needs "
        "LINEAGE_PRIVATE_NETWORKS. Nothing is sent here; `/test` tries it.",
        answer=SubscriptionMade,
        example="subscription_made",
        status=CREATED,
        says="The subscription, and a webhook's secret.",
        body=NewSubscription,
        body_example={"kind": "webhook", "target": "https://hooks.example.com/lineage"},
        problems=BODY_PROBLEMS,
    )
    def post(self, request: Request) -> Response:
        Query(request)
        form = body.read_json(request, NewSubscription)
        record, secret = subscriptions.add(form.kind, form.target, by=caller(request).name)
        headers = {"Location": f"/api/v1/subscriptions/{record.id}", "Cache-Control": "no-store"}
        return Response(SubscriptionMade(record, secret), status=CREATED, headers=headers)


class Subscription(Call):
    http_method_names = ["get", "head", "patch", "delete"]  # noqa: RUF012
    scopes = {"GET": "decide", "HEAD": "decide", "PATCH": "decide", "DELETE": "decide"}  # noqa: RUF012

    @describe(
        "subscriptions_read",
        "One subscription",
        "With how its last deliveries went.",
        answer=SubscriptionRecord,
        example="subscription",
        path={"number": NUMBER},
        problems=["malformed", "not-found"],
    )
    def get(self, request: Request, number: int) -> Response:
        Query(request, [])
        return Response(subscriptions.read(number))

    @describe(
        "subscriptions_change",
        "Pause or resume a subscription",
        "While it is paused nothing is sent; afterwards it is told what happened meanwhile.",
        answer=SubscriptionRecord,
        example="subscription",
        says="The subscription as it is now.",
        path={"number": NUMBER},
        body=SubscriptionChange,
        body_example={"paused": True},
        problems=[*BODY_PROBLEMS, "not-found"],
    )
    def patch(self, request: Request, number: int) -> Response:
        Query(request)
        paused = body.read_json(request, SubscriptionChange).paused
        change = subscriptions.pause if paused else subscriptions.resume
        return Response(change(number, by=caller(request).name))

    @describe(
        "subscriptions_remove",
        "Remove a subscription",
        "Nothing is sent any more, and its secret is forgotten.",
        answer=SubscriptionRecord,
        example="subscription",
        says="The subscription as it was.",
        path={"number": NUMBER},
        problems=["malformed", "not-found"],
    )
    def delete(self, request: Request, number: int) -> Response:
        Query(request)
        record = subscriptions.read(number)
        subscriptions.remove(number, by=caller(request).name)
        return Response(record)


class Test(Call):
    scopes = {"POST": "decide"}  # noqa: RUF012

    @describe(
        "subscriptions_test",
        "Send a test message now",
        "The answer is 200 also where the message was not taken: then `ok` is false and `reason` says why. "
        "The body is not read.",
        answer=Tried,
        example="subscription_tried",
        path={"number": NUMBER},
        problems=["malformed", "not-found"],
    )
    def post(self, request: Request, number: int) -> Response:
        Query(request, [])
        return Response(subscriptions.test(number))
