"""The moment that a question is about: a tree size with the time that belongs to it.

Owns: reading `as_of` as people and programs write it. Does not own: what held at the moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from lineage.db.models import Entry
from lineage.db.prepared import fetch
from lineage.errors import MalformedError
from lineage.services.clock import now_us
from lineage.trust.leaf import rfc3339

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CLOCKS_DIFFER_US = 300 * 1_000_000  # a caller's "now" may be five minutes ahead of ours
_SIZES = "SELECT (SELECT size FROM log_head WHERE id = 1), (SELECT projected FROM graph_state WHERE id = 1)"
"""Of the log and of the graph, at one moment."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """What was believed with the first `size` entries, judged by the time `at_us` (microseconds, UTC).

    `head` is the size of the log, `projected` how far the graph has followed it. `live`: nothing was asked
    for, so this is the newest state that the graph has, and now.
    """

    size: int
    at_us: int
    head: int
    projected: int
    live: bool


def resolve(text: str | None) -> AsOf:
    """The moment that `text` names: a tree size, an ISO date or time; empty means now.

    A tree size brings the time at which its last entry was received. A time means the entries received by
    then; without an offset it is UTC; a date alone means its last microsecond. The tree size may be ahead of
    the graph: the answer then covers what is projected, and says so.

    Raises: MalformedError for anything else, for a size above the log's, and for the future.
    """
    head, projected = (size or 0 for size in fetch(_SIZES)[0])
    text = (text or "").strip()
    if not text:
        return AsOf(projected, now_us(), head, projected, True)
    if text.isascii() and text.isdigit():
        size = _size(text, head)
        return AsOf(size, _received_us(size), head, projected, False)
    at_us = _moment(text)
    return AsOf(size_at(at_us), at_us, head, projected, False)


def _size(text: str, head: int) -> int:
    digits = text.lstrip("0") or "0"
    if len(digits) > 18 or int(digits) > head:
        raise MalformedError(
            f"The log has {head} entries; there is no tree of size {digits[:30]}.", where="as_of"
        )
    return int(digits)


def _received_us(size: int) -> int:
    if size == 0:
        return 0
    return Entry.objects.values_list("received_us", flat=True).get(pk=size - 1)


def size_at(at_us: int) -> int:
    """How many entries were received by then (µs): they are in order of time, so the last one tells."""
    last = Entry.objects.filter(received_us__lte=at_us).order_by("-received_us", "-index")
    index = last.values_list("index", flat=True).first()
    return 0 if index is None else index + 1


def _moment(text: str) -> int:
    """Microseconds, never later than now."""
    try:
        if len(text) <= 10:
            moment = datetime.combine(date.fromisoformat(text), time.max, UTC)
            first = datetime.combine(moment.date(), time.min, UTC)
        else:
            moment = datetime.fromisoformat(text)
            moment = first = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        at_us, first_us = (moment - _EPOCH) // _MICROSECOND, (first - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        raise MalformedError(
            "This is neither a tree size nor an ISO date or time.",
            hint="Use a number of entries, as in 1200, a date, as in 2026-01-31, or a time with its offset, "
            "as in 2026-01-31T12:00:00Z (in a URL, write + as %2B).",
            where="as_of",
        ) from None
    now = now_us()
    if first_us > now + _CLOCKS_DIFFER_US:
        raise MalformedError(f"{text} is in the future: it is {rfc3339(now)}.", where="as_of")
    return max(0, min(at_us, now))
