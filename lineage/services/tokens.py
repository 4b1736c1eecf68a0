"""API keys: a secret that is shown once, kept as SHA-256, with scopes and an expiry.

A token is `lin_<prefix>_<secret>`. The prefix finds the row; the whole text is compared in constant time.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from lineage.db.models import ApiToken
from lineage.errors import ConflictError, MalformedError, NotFoundError, UnauthenticatedError
from lineage.services import token_uses
from lineage.trust.digest import sha256_hex

SCOPES = ("attest", "read", "check", "decide", "operate")
CACHE_SECONDS = 2.0
"""How long a revoked token may still be accepted by a process that has just seen it."""
RENEW_SECONDS = 1.0
"""From this age on one that is used is looked up again beside the requests that present it (`renew`)."""
USED_SECONDS = 10.0
"""How long after its last use."""
OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=30)
"""How long the old secret of a rotated key may work beside the new one."""
_MAX_CACHED = 1000


@dataclass(slots=True)
class _Seen:
    """A token as it was at a time by the monotonic clock, and when it was presented last."""

    token: ApiToken
    at: float
    used: float


_cache: dict[str, _Seen] = {}
"""By the SHA-256 of its secret text."""
_lock = Lock()


def create(name: str, scopes: Sequence[str], *, expires_at: datetime | None, by: str) -> tuple[ApiToken, str]:
    """A new token and its secret text, which can't be had again.

    Raises: MalformedError for no name, no or an unknown scope, or an expiry that has passed.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise MalformedError(
            f"Scopes are one or more of {', '.join(SCOPES)}; not {', '.join(unknown) or 'none'}."
        )
    if not name.strip() or len(name) > 200:
        raise MalformedError("A token needs a name of 1 to 200 characters.")
    if expires_at is not None and expires_at <= timezone.now():
        raise MalformedError("The expiry is in the past.")
    return _make(name.strip(), " ".join(s for s in SCOPES if s in scopes), expires_at, by)


def _make(
    name: str, scopes: str, expires_at: datetime | None, by: str, replaces: str = ""
) -> tuple[ApiToken, str]:
    prefix = secrets.token_hex(4)
    secret = f"lin_{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiToken.objects.create(
        name=name,
        prefix=prefix,
        secret_sha256=sha256_hex(secret.encode()),
        scopes=scopes,
        expires_at=expires_at,
        created_by=by,
        replaces=replaces,
    )
    return row, secret


def authenticate(secret: str) -> ApiToken:
    """The token that a request presents.

    Raises: UnauthenticatedError where it is unknown, revoked or expired; the message doesn't say which.
    """
    digest = sha256_hex(secret.encode("utf-8", "replace"))
    token = _cached(digest) or _look_up(secret, digest)
    if token is None or not _is_valid(token):
        raise UnauthenticatedError("The API key is unknown, revoked or expired.")
    token_uses.note(token.pk)
    return token


def just_seen(secret: str) -> ApiToken | None:
    """The same for a token that this process has looked up a moment ago; None for any other, whatever
    `authenticate` may say of it. Does not ask the database."""
    token = _cached(sha256_hex(secret.encode("utf-8", "replace")))
    if token is None or not _is_valid(token):
        return None
    token_uses.note(token.pk)
    return token


def renew() -> None:
    """Look tokens up again that are used, before a request has to. To be called more than once a second.

    Raises: the framework's errors; what was seen is then good until its time is over, as ever.
    """
    now = time.monotonic()
    with _lock:
        old = {
            digest: seen.token.pk
            for digest, seen in _cache.items()
            if now - seen.at >= RENEW_SECONDS and now - seen.used < USED_SECONDS
        }
    if not old:
        return
    rows = ApiToken.objects.in_bulk(old.values())
    with _lock:
        for digest, pk in old.items():
            seen, row = _cache.get(digest), rows.get(pk)
            if seen is None or seen.at >= now:
                continue  # forgotten, or looked up anew meanwhile
            if row is None or not hmac.compare_digest(row.secret_sha256, digest):
                del _cache[digest]
            else:
                _cache[digest] = _Seen(row, now, seen.used)


def _is_valid(token: ApiToken) -> bool:
    return not token.revoked_at and not (token.expires_at and token.expires_at <= timezone.now())


def _cached(digest: str) -> ApiToken | None:
    seen, now = _cache.get(digest), time.monotonic()
    if seen is None or now - seen.at >= CACHE_SECONDS:
        return None
    seen.used = now
    return seen.token


def _look_up(secret: str, digest: str) -> ApiToken | None:
    parts = secret.split("_", 2)
    if len(parts) != 3 or parts[0] != "lin":
        return None
    now = time.monotonic()
    token = ApiToken.objects.filter(prefix=parts[1]).first()
    if token is None or not hmac.compare_digest(token.secret_sha256, digest):
        return None
    with _lock:
        if len(_cache) >= _MAX_CACHED:
            _cache.clear()
        _cache[digest] = _Seen(token, now, now)
    return token


def listed() -> QuerySet[ApiToken]:
    """Every token, newest first."""
    return ApiToken.objects.order_by("-pk")


def get(prefix: str) -> ApiToken:
    """The token that a prefix names, with or without `lin_`, ended or not. Raises: NotFoundError."""
    token = ApiToken.objects.filter(prefix=_prefix(prefix)).first()
    if token is None:
        raise NotFoundError(f"There is no token with the prefix {prefix}.")
    return token


def rotate(
    prefix: str, *, by: str, overlap: timedelta = OVERLAP, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new secret for a program: a new token of the same name and scopes. The old one ends after `overlap`.

    Without `expires_at` the new one lives as long as the old one was made to live.

    Raises: NotFoundError; ConflictError where the old one has ended, or was rotated before; MalformedError
        for an overlap over MAX_OVERLAP or an expiry that has passed.
    """
    now = timezone.now()
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise MalformedError(f"The overlap is between nothing and {MAX_OVERLAP.days} days.")
    if expires_at is not None and expires_at <= now:
        raise MalformedError("The expiry is in the past.")
    get(prefix)
    with transaction.atomic():
        old = ApiToken.objects.select_for_update().get(prefix=_prefix(prefix))
        if old.revoked_at or (old.expires_at and old.expires_at <= now):
            raise ConflictError(f"The token {old.name} has ended; make a new one.")
        newer = ApiToken.objects.filter(replaces=old.prefix, revoked_at=None).first()
        if newer:
            raise ConflictError(f"The token {old.name} was rotated before, into lin_{newer.prefix}.")
        if expires_at is None and old.expires_at:
            expires_at = now + (old.expires_at - old.created_at)
        made = _make(old.name, old.scopes, expires_at, by, replaces=old.prefix)
        old.expires_at = min(now + overlap, old.expires_at or now + overlap)
        old.save(update_fields=["expires_at"])
    _forget(old)
    return made


def revoke(prefix: str) -> ApiToken:
    """End a token now.

    Raises: NotFoundError, or ConflictError where it has been revoked before.
    """
    token = get(prefix)
    if token.revoked_at:
        raise ConflictError(f"The token {token.name} has been revoked before.")
    token.revoked_at = timezone.now()
    token.save(update_fields=["revoked_at"])
    _forget(token)
    return token


def _prefix(text: str) -> str:
    return text.removeprefix("lin_").split("_")[0]


def _forget(token: ApiToken) -> None:
    """This process asks the database at the token's next use."""
    with _lock:
        _cache.pop(token.secret_sha256, None)
