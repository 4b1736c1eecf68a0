"""Who is told when something fails: subscriptions, added, paused, tried, removed.

Owns: the rows of `Subscription` and their secrets. Does not own: what is told, and when (`notify`).
"""

from __future__ import annotations

import base64
import logging
import secrets
import time

import msgspec
from django.db import IntegrityError, transaction

from lineage.db.models import Subscription
from lineage.errors import ConfigurationError, ConflictError, MalformedError, NotFoundError, UnavailableError
from lineage.services import log_head, news, notify, secret_box, subscription_values, webhook_message
from lineage.services.clock import now_us
from lineage.trust.leaf import rfc3339

MOST = 200
MAX_ID = 2**63 - 1

log = logging.getLogger(__name__)


class SubscriptionRecord(msgspec.Struct, frozen=True):
    """One subscription; its secret is never told again. Times are RFC 3339, empty for never.

    Attributes:
        state: telling, failing (`failures` attempts in a row, the last of them with `error`), paused.
        told_entries: news of entries below this log index have been told.
    """

    id: int
    kind: str
    target: str
    state: str
    told_entries: int
    tried_at: str
    failures: int
    error: str
    created_at: str
    created_by: str


class Tried(msgspec.Struct, frozen=True):
    """What came of a test delivery; `reason` where it did not arrive."""

    ok: bool
    reason: str
    ms: int


def add(kind: str, target: str, *, by: str) -> tuple[SubscriptionRecord, str]:
    """Tell somebody from now on; returns the secret of a webhook too, which can't be had again.

    Storages that are gone already are told at once; what failed before is not.

    Raises: MalformedError for a wrong value, and where mail can't be sent; ConflictError where there is such
    a subscription, or too many.
    """
    target = subscription_values.target(kind, target)
    if Subscription.objects.count() >= MOST:
        raise ConflictError(f"There are {MOST} subscriptions; no more are kept.")
    now = now_us()
    size = log_head.size()  # not as far as the graph is: what it has still to follow failed before, too
    row = Subscription(
        kind=kind, target=target, delivered_index=size, delivered_us=now, created_us=now, created_by=by
    )
    secret = webhook_message.new_secret() if kind == Subscription.Kind.WEBHOOK else ""
    try:
        with transaction.atomic():
            row.save()
            row.secret_box = secret_box.seal(secret, f"subscription:{row.pk}", notify.SECRET)
            row.save(update_fields=["secret_box"])
    except IntegrityError as error:
        raise ConflictError(
            "There is a subscription of this kind and target already.", where="target"
        ) from error
    log.info("subscription %s (%s) added by %s", row.pk, kind, by)
    return _record(row), secret


def listed() -> list[SubscriptionRecord]:
    """Every subscription, the oldest first."""
    return [_record(row) for row in Subscription.objects.order_by("pk")]


def read(number: int) -> SubscriptionRecord:
    """Raises: NotFoundError."""
    return _record(_find(number))


def pause(number: int, *, by: str) -> SubscriptionRecord:
    """Tell nothing until `resume`. Raises: NotFoundError."""
    return _change(number, by, paused=True)


def resume(number: int, *, by: str) -> SubscriptionRecord:
    """Tell again, and what happened meanwhile first. Raises: NotFoundError."""
    return _change(number, by, paused=False, failures=0, error="")


def remove(number: int, *, by: str) -> None:
    """Tell no more, and forget the secret. Raises: NotFoundError."""
    _find(number).delete()
    log.info("subscription %s removed by %s", number, by)


def new_secret(number: int, *, by: str) -> str:
    """Another secret for a webhook, which can't be had again; the one before ends.

    Raises: NotFoundError; MalformedError for e-mail.
    """
    row = _find(number)
    if row.kind != Subscription.Kind.WEBHOOK:
        raise MalformedError("Only webhooks are signed.")
    secret = webhook_message.new_secret()
    _change(number, by, secret_box=secret_box.seal(secret, f"subscription:{number}", notify.SECRET))
    return secret


def test(number: int) -> Tried:
    """Send a test message now; nothing is recorded of it. Raises: NotFoundError."""
    row, began = _find(number), time.monotonic()
    identity = f"msg_test_{base64.b32encode(secrets.token_bytes(15)).decode().lower()}"
    try:
        notify.send(row, identity, news.sample(), webhook_message.TEST, rfc3339(now_us()))
        reason = ""
    except (UnavailableError, ConfigurationError) as error:
        reason = f"{error.message} {error.hint}".strip()
    return Tried(not reason, reason, round((time.monotonic() - began) * 1000))


def _find(number: int) -> Subscription:
    row = Subscription.objects.filter(pk=number).first() if 0 < number <= MAX_ID else None
    if row is None:
        raise NotFoundError(
            "There is no such subscription.",
            hint="`lineage subscriptions list` lists them with their numbers.",
        )
    return row


def _change(number: int, by: str, **values: object) -> SubscriptionRecord:
    if not Subscription.objects.filter(pk=_find(number).pk).update(**values):
        raise NotFoundError("There is no such subscription any more.")
    log.info("subscription %s changed by %s: %s", number, by, ", ".join(values))
    return read(number)


def _record(row: Subscription) -> SubscriptionRecord:
    return SubscriptionRecord(
        id=row.pk,
        kind=row.kind,
        target=row.target,
        state="paused" if row.paused else "failing" if row.failures else "telling",
        told_entries=row.delivered_index,
        tried_at=rfc3339(row.tried_us) if row.tried_us else "",
        failures=row.failures,
        error=row.error,
        created_at=rfc3339(row.created_us),
        created_by=row.created_by,
    )
