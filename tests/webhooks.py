"""A receiver of our webhooks: it verifies each as a receiver is told to, in docs/subscriptions.md."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any


def head_and_body(request: bytes) -> tuple[dict[str, str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}, body


def verified(request: bytes, secret: str) -> dict[str, Any]:
    """What a genuine message says. Raises: AssertionError for any other."""
    headers, body = head_and_body(request)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert hmac.compare_digest(expected, headers["webhook-signature"])
    told: dict[str, Any] = json.loads(body)
    return told
