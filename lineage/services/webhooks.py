"""Webhooks of MLflow servers: whether a delivery is genuine, fresh and new. One is a hint, and no more.

Owns: the signature, the window of time, deliveries seen before. What a delivery says is never believed: it
only has the source looked at sooner than its next poll, which finds the same by itself.

Deliveries are remembered for as long as their time would be accepted; without Redis by each web process
alone, where a replay is one more look.
Source: MLflow 3.17, mlflow/webhooks/delivery.py; Standard Webhooks.
"""

from __future__ import annotations

import base64
import hmac
import re

from django.core.cache import cache

from lineage.db.models import Source
from lineage.errors import ConflictError, UnauthenticatedError
from lineage.services import source_jobs, source_values, sources
from lineage.services.clock import now_us

WINDOW_SECONDS = 300
_VERSION = "v1,"
_DELIVERY = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_NO_SECRET = b"\0" * 32
"""Stands in where there is no secret, so that an unknown source takes as long as a wrong signature."""


def take(name: str, *, delivery: str, timestamp: str, signature: str, content: bytes) -> int | None:
    """Have the source looked at, if the delivery is good. The job's id; None where the source is paused.

    `delivery`, `timestamp` and `signature` are the headers, `content` the exact bytes of the body.

    Raises:
        UnauthenticatedError: unknown source, no secret, wrong signature or time; it doesn't say which.
        ConflictError: the delivery was taken before.
    """
    _authenticate(name, delivery, timestamp, signature, content)
    seen = f"webhook:{name}:{delivery}"
    if cache.get(seen):
        raise ConflictError("This delivery was taken before.")
    job_id = _ask(name)
    # Last, so that the sender's next try counts where this one failed in between.
    cache.set(seen, True, timeout=2 * WINDOW_SECONDS)
    return job_id


def _authenticate(name: str, delivery: str, timestamp: str, signature: str, content: bytes) -> None:
    known = source_values.NAME.fullmatch(name) is not None
    source = Source.objects.filter(name=name).first() if known else None
    secret = sources.webhook_secret_of(source).encode() if source is not None else b""
    signed = b".".join((delivery.encode(), timestamp.encode(), content))
    expected = _VERSION + base64.b64encode(hmac.digest(secret or _NO_SECRET, signed, "sha256")).decode()
    genuine = hmac.compare_digest(expected.encode(), signature.encode())
    if not (secret and genuine and _DELIVERY.fullmatch(delivery) and _is_fresh(timestamp)):
        raise UnauthenticatedError(
            "The webhook's signature is not that of this source, or its time is too far from now.",
            hint="Give MLflow the source's webhook secret, and let both clocks be right.",
        )


def _is_fresh(timestamp: str) -> bool:
    """Whether these seconds since the epoch are within the window around now."""
    digits = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    return digits and abs(int(timestamp) - now_us() / 1_000_000) <= WINDOW_SECONDS


def _ask(name: str) -> int | None:
    if sources.find(name).paused:
        return None
    return source_jobs.ask(name, by="webhook")
