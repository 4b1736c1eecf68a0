"""MLflow servers that are followed: added, changed, paused, removed, and how to talk to each.

Owns: the rows of `Source`, and which syncs are due. Does not own: what a sync does (`sync`), what is known of
a source (`source_records`), or putting a sync in line (`source_jobs`).
"""

from __future__ import annotations

import logging
import secrets

from django.db import IntegrityError, transaction
from msgspec import UNSET

from lineage.config import current
from lineage.db.models import Source, SourceObject, SourceProblem, SourceState
from lineage.errors import ConflictError, MalformedError, NotFoundError
from lineage.mlflow.connection import Settings
from lineage.services import secret_box, source_changes, source_values
from lineage.services.clock import now_us
from lineage.services.source_changes import CLIENT_KEY, SECRET, WEBHOOK
from lineage.services.source_values import SourceValues

LONGEST_PAUSE_SECONDS = 900
"""Between two tries of a source that does not answer, unless its own pause is longer."""

log = logging.getLogger(__name__)


def find(name: str) -> Source:
    """Raises: NotFoundError."""
    source = Source.objects.filter(name=name).first() if source_values.NAME.fullmatch(name) else None
    if source is None:
        raise NotFoundError("There is no source of this name.", hint="`lineage sources list` lists them.")
    return source


def listed() -> list[Source]:
    """Every source, by name."""
    return list(Source.objects.order_by("name"))


def add(name: str, values: SourceValues, *, by: str, continues: bool = False) -> Source:
    """Follow one more server. Its first sync is due at once, unless it is paused.

    `continues`: it is the server whose records the log has under this name, from a source that was removed.

    Raises:
        MalformedError: a value is wrong; `where` names the field.
        ConflictError: the name is in use, or was, for a server that `continues` does not vouch for.
    """
    source = Source(name=source_values.name(name), created_us=now_us(), created_by=by)
    if values.url is UNSET:
        raise MalformedError("The server's address is missing.", where="url")
    source_changes.apply(source, values)
    recorded = 0 if continues else SourceObject.objects.filter(source=name).count()
    if recorded:
        raise ConflictError(
            f"The log has records of a server {name} that was followed before.",
            hint="If it is the same server, say that it continues; otherwise choose another name, or all its "
            "runs would be recorded as gone.",
            where="name",
            extra={"recorded": recorded},
        )
    try:
        with transaction.atomic():
            source.save()
    except IntegrityError as error:
        raise ConflictError(f"There is a source {name} already.", where="name") from error
    log.info("source %s added by %s", name, by)
    return source


def change(name: str, values: SourceValues, *, by: str) -> Source:
    """Change what is said; the rest, secrets too, stays.

    Raises: NotFoundError; MalformedError for a wrong value, and where a stored secret would go to another
    server than it was given for.
    """
    with transaction.atomic():
        find(name)
        source = Source.objects.select_for_update().get(name=name)
        source_changes.apply(source, values)
        source.save()
    log.info("source %s changed by %s: %s", name, by, ", ".join(values.said()) or "nothing")
    return source


def pause(name: str, *, by: str) -> Source:
    """Leave a server alone until `resume`. Raises: NotFoundError."""
    return change(name, SourceValues(paused=True), by=by)


def resume(name: str, *, by: str) -> Source:
    """Follow a server again. Raises: NotFoundError."""
    return change(name, SourceValues(paused=False), by=by)


def remove(name: str, *, by: str) -> None:
    """Follow a server no more, and forget its secrets. What was recorded of it stays in the log.

    Raises: NotFoundError.
    """
    source = find(name)
    with transaction.atomic():
        SourceProblem.objects.filter(source=name).delete()
        SourceState.objects.filter(source=name).delete()
        source.delete()
    log.info("source %s removed by %s", name, by)


def new_webhook_secret(name: str, *, by: str) -> str:
    """A fresh secret for the source's webhooks, which can't be had again; the one before ends.

    Raises: NotFoundError.
    """
    secret = secrets.token_urlsafe(32)
    change(name, SourceValues(webhook_secret=secret), by=by)
    return secret


def settings_of(source: Source) -> Settings:
    """How to talk to a source's server, secrets decrypted.

    Raises: ConfigurationError where a secret can't be decrypted.
    """
    return Settings(
        url=source.url,
        auth=source.auth,
        username=source.username,
        secret=secret_box.open_box(source.secret_box, source.name, SECRET),
        ca_pem=source.ca_pem,
        client_certificate_pem=source.client_certificate_pem,
        client_key_pem=secret_box.open_box(source.client_key_box, source.name, CLIENT_KEY),
        proxy=source.proxy,
        requests_per_second=float(source.requests_per_second),
        private_networks=current().private_networks,
    )


def webhook_secret_of(source: Source) -> str:
    """What the source's webhooks are signed with; empty where there is none.

    Raises: ConfigurationError where it can't be decrypted.
    """
    return secret_box.open_box(source.webhook_box, source.name, WEBHOOK)


def due(now_us: int) -> list[tuple[str, dict[str, bool]]]:
    """The syncs that are due at `now_us`: source and arguments, by name."""
    states = {state.source: state for state in SourceState.objects.all()}
    found = []
    for source in Source.objects.filter(paused=False).order_by("name"):
        state = states.get(source.name) or SourceState(source=source.name)
        # A time that is still to come was written by a clock that was ahead.
        waits_us = _pause_seconds(source, state) * 1_000_000
        if state.tried_us + waits_us <= now_us or state.tried_us > now_us:
            found.append((source.name, _arguments(source, state, now_us)))
    return found


def _pause_seconds(source: Source, state: SourceState) -> int:
    """From one try to the next: longer with each failure, up to a quarter of an hour."""
    if not state.failures:
        return source.poll_seconds
    backed_off = source.poll_seconds << min(state.failures, 20)
    return max(source.poll_seconds, min(backed_off, LONGEST_PAUSE_SECONDS))


def _arguments(source: Source, state: SourceState, now_us: int) -> dict[str, bool]:
    def passed(since_us: int, seconds: int) -> bool:
        return since_us + seconds * 1_000_000 <= now_us or since_us > now_us

    if not state.swept_us:
        return {"sweep": True}  # which hashes everything, because nothing is known yet
    hashed = state.rehashed_us or source.created_us
    if state.files_wanted != "rehash" and passed(hashed, source.rehash_seconds):
        return {"sweep": True, "rehash": True}
    return {"sweep": True} if passed(state.swept_us, source.sweep_seconds) else {}
