"""The log's decisions about leaving and forgetting, as of any tree size: redactions, holds, retention.

Owns: telling those that were decided from those that still count, and whether bytes have gone. Does not own:
finding them (`log_decisions`), their form (`trust.forgetting_decisions`), what they mean (`redactions`,
`holds`, `retention`), or deciding.
"""

from __future__ import annotations

import time
from threading import Lock

from lineage.db import prepared
from lineage.db.models import Entry, Envelope
from lineage.errors import MalformedError, TooLargeError
from lineage.services import log_decisions
from lineage.services.log_decisions import Decided
from lineage.trust import forgetting_decisions
from lineage.trust.forgetting_decisions import Redact

__all__ = ["Decided", "any_redacted", "believed", "below", "envelopes", "forget", "noticed", "renew"]

_looked_at: float | None = float("-inf")
"""When nothing was redacted yet, on the process's own clock; None: something was, which is for ever."""
LOOK_SECONDS = 1.0
ASKED_SECONDS = 60.0
"""How long after a question a process looks by itself, so that the next one need not wait for it."""
_asked_at = float("-inf")
"""When somebody asked last, by the same clock."""
_lock = Lock()
_GONE = "SELECT EXISTS (SELECT 1 FROM log_redaction WHERE refused = '')"


def below(size: int | None = None) -> tuple[Decided, ...]:
    """Those among the first `size` entries (None: all), in log order: also what is believed no longer.

    For whoever explains what became of bytes: what a thief had erased is gone.
    """
    return log_decisions.below(log_decisions.FORGETTING, size)


def believed(size: int | None = None) -> tuple[Decided, ...]:
    """Those that count as of that tree size: no thief of the platform's key decided them."""
    return log_decisions.believed(log_decisions.FORGETTING, size)


def envelopes(index: int) -> frozenset[str]:
    """Bare hex digests of the envelopes that entry `index` redacts; none where it is no redaction."""
    rows = Envelope.objects.filter(pk=index, entry__kind=Entry.Kind.DECISION)
    content = rows.values_list("content", flat=True).first()
    told = None if content is None else log_decisions.read_one(bytes(content))
    if told is None or told[0].action not in forgetting_decisions.ACTIONS:
        return frozenset()
    try:
        body = forgetting_decisions.read(*told)
    except (MalformedError, TooLargeError):
        return frozenset()
    if not isinstance(body, Redact):
        return frozenset()
    return frozenset(forgetting_decisions.digest_hex(each) for each in body.envelopes)


def any_redacted() -> bool:
    """Whether bytes have gone from this log. Asked for every statement, so it may be a second late."""
    global _asked_at  # noqa: PLW0603
    now = _asked_at = time.monotonic()
    if _looked_at is not None and now >= _looked_at + LOOK_SECONDS:
        _look()
    return _looked_at is None


def renew() -> None:
    """Look, where somebody has asked lately: an append asks under the head's lock, and would have all wait.

    To be called more than once a second beside those who ask.
    """
    if _looked_at is not None and time.monotonic() - _asked_at < ASKED_SECONDS:
        _look()


def _look() -> None:
    global _looked_at  # noqa: PLW0603
    now = time.monotonic()
    ((gone,),) = prepared.fetch(_GONE)
    with _lock:
        if _looked_at is not None:  # what was noticed meanwhile stays so
            _looked_at = None if gone else now


def noticed() -> None:
    """Bytes have gone just now."""
    global _looked_at  # noqa: PLW0603
    with _lock:
        _looked_at = None


def forget() -> None:
    """Drop what this process remembers. For tests and restores, whose logs share an origin."""
    global _looked_at  # noqa: PLW0603
    log_decisions.forget()
    _looked_at = float("-inf")
