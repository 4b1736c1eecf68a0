"""A message as a webhook: signed, sent once, to an address that the guard allows.

Owns: the body, the signature, every limit of the exchange. Does not own: when to send again (`notify`).
Source: Standard Webhooks 1.0 (headers, signature scheme v1, secrets `whsec_…`).
"""

from __future__ import annotations

import base64
import hmac
import secrets
import ssl
import time

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, NameResolutionError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as TooSlowError
from urllib3.util import Timeout

from lineage.config import current
from lineage.errors import UnavailableError
from lineage.net import guard
from lineage.net.errors import RefusedAddressError
from lineage.net.sockets import guarded, leave
from lineage.services.news import Message

NEWS, TEST = "lineage.integrity", "lineage.test"
"""Types of messages."""
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0
"""Until the answer has begun. Its body is not read: the status says all."""
SECRET_PREFIX = "whsec_"  # noqa: S105 the form of secrets, and none itself
SECRET_BYTES = 32
GONE = 410


class ReceiverGoneError(UnavailableError):
    """The receiver says that it wants no more messages, ever (status 410)."""


def new_secret() -> str:
    """32 random bytes, in the form that the specification asks for."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64>`: HMAC-SHA256 of `<id>.<timestamp>.<body>` under the secret's bytes."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def body(message: Message, kind: str, at: str) -> bytes:
    """The body: `type`, `timestamp` (RFC 3339), `data`."""
    return msgspec.json.encode({"type": kind, "timestamp": at, "data": message})


def send(url: str, secret: str, message_id: str, content: bytes) -> None:
    """POST the message; an answer of 2xx is a delivery, a redirect is none and not followed.

    Raises: UnavailableError that says what came of it, without the address; ReceiverGoneError for 410.
    """
    timestamp = int(time.time())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "lineage-webhook/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id, timestamp, content),
    }
    pool = _pool()
    try:
        answer = pool.request(
            "POST", url, body=content, headers=headers, redirect=False, retries=False, preload_content=False
        )
        status = answer.status
        leave(answer)
    except RefusedAddressError as error:
        raise UnavailableError(error.message, hint=error.hint) from None
    except (HTTPError, OSError, ValueError) as error:
        raise UnavailableError(_words(error)) from None
    finally:
        pool.clear()
    if status == GONE:
        raise ReceiverGoneError("The receiver answered 410: it wants no more messages.")
    if not 200 <= status < 300:
        follows = " Redirects are not followed." if 300 <= status < 400 else ""
        raise UnavailableError(f"The receiver answered {status}.{follows}")


def _pool() -> urllib3.PoolManager:
    pool = urllib3.PoolManager(timeout=Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS), maxsize=1)
    guarded(pool, guard.networks(current().private_networks), head_seconds=ANSWER_SECONDS)
    return pool


def _words(error: Exception) -> str:
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
    if isinstance(reason, NameResolutionError):
        return "The receiver's name can't be resolved."
    if isinstance(reason, NewConnectionError):
        return "The receiver can't be reached: nothing answers at its address."
    if isinstance(reason, TooSlowError | TimeoutError):
        return f"The receiver did not answer within {ANSWER_SECONDS:.0f} s."
    if isinstance(reason, SSLError | ssl.SSLError):
        return "The receiver's certificate or TLS is not good."
    return f"The receiver hung up or gave no proper answer ({type(reason).__name__})."
