"""The log's decisions about leaving and forgetting, as of any tree size: redactions, holds, retention.

Owns: telling those that were decided from those that still count, and whether bytes have gone. Does not own:
finding them (`log_decisions`), their form (`trust.forgetting_decisions`), what they mean (`redactions`,
`holds`, `retention`), or deciding.
"""

from __future__ import annotations

import time

from lineage.db.models import Entry, Envelope, Redaction
from lineage.errors import MalformedError, TooLargeError
from lineage.services import log_decisions
from lineage.services.log_decisions import Decided
from lineage.trust import forgetting_decisions
from lineage.trust.forgetting_decisions import Redact

__all__ = ["Decided", "any_redacted", "believed", "below", "envelopes", "forget", "noticed"]

_looked_at: float | None = float("-inf")
"""When nothing was redacted yet, on the process's own clock; None: something was, which is for ever."""
LOOK_SECONDS = 1.0


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
    global _looked_at  # noqa: PLW0603
    if _looked_at is None:
        return True
    now = time.monotonic()
    if now >= _looked_at + LOOK_SECONDS:
        _looked_at = None if Redaction.objects.filter(refused="").exists() else now
    return _looked_at is None


def noticed() -> None:
    """Bytes have gone just now."""
    global _looked_at  # noqa: PLW0603
    _looked_at = None


def forget() -> None:
    """Drop what this process remembers. For tests and restores, whose logs share an origin."""
    global _looked_at  # noqa: PLW0603
    log_decisions.forget()
    _looked_at = float("-inf")
