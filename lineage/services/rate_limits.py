"""How often somebody may ask: a sliding window, counted for all web processes together where Redis is.

Owns: the arithmetic and the counters. Does not own: where they lie (`lineage.cache`), who is limited how (the
callers), or the limits of signing in (allauth's).

Two fixed windows make a sliding one: what the last window let in counts for the share of it that is still
within one length of the window from now. At the worst that lets in a few requests too many or too few, and it
needs two counters a name, however often it asks. Only what was let in is counted.

Who asks again and again is counted ahead, up to a hundredth of the limit: a process takes 1, 2, 4 … at once
and lets in as many before it asks the counters again, so that not each request waits for Redis. What of it is
left when the window ends was counted all the same. So a limit is never looser for it, and stricter by a
hundredth for each process at the most; near the limit, and where it is under 200, all are counted one by one.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, cast

from django.core.cache import cache

from lineage.errors import RateLimitedError
from lineage.people_settings import Rate
from lineage.trust.digest import sha256_hex

if TYPE_CHECKING:
    from lineage.cache import LocalCounters, SharedCounters


AHEAD = 100
"""This part of a limit is counted ahead at most."""
_MAX_KEPT = 2_000


@dataclass(slots=True)
class _Ahead:
    """What was counted ahead of a name in a window: `taken` at the last time, of which `left` are free."""

    taken: int
    left: int


_ahead: dict[str, _Ahead] = {}
"""By counter."""
_lock = Lock()


def take(name: str, limit: Rate | None) -> None:
    """Count a request of `name`, such as `person:<email>`. Raises: RateLimitedError for one too many."""
    if limit is None:
        return
    now = time.time()
    window, passed = divmod(now, limit.seconds)
    key = f"rate:{sha256_hex(name.encode('utf-8', 'replace'))[:32]}:{limit.count}:{limit.seconds}"
    current = f"{key}:{window:.0f}"
    wanted = _wanted(current, limit)
    if not wanted:
        return
    counters = cast("LocalCounters | SharedCounters", cache)
    count, before = counters.count(current, f"{key}:{window - 1:.0f}", 2 * limit.seconds, wanted)
    before = min(before, limit.count)
    sliding = before * (1 - passed / limit.seconds)
    if wanted > 1 and count + sliding > limit.count:
        cache.incr(current, 1 - wanted)
        count, wanted = count - wanted + 1, 1
    if count + sliding <= limit.count:
        _keep(current, wanted)
        return
    cache.incr(current, -1)
    raise RateLimitedError(
        f"More than {limit.count:,} requests in {limit.seconds:,} seconds.",
        retry_after=max(1, math.ceil(_wait(count, before, passed, limit))),
        hint="Send it again after the seconds in Retry-After; an operator sets LINEAGE_RATE_LIMIT.",
    )


def _wanted(counter: str, limit: Rate) -> int:
    """How many to count now; 0 where this one was counted ahead."""
    with _lock:
        ahead = _ahead.get(counter)
        if ahead is None:
            return 1
        if ahead.left:
            ahead.left -= 1
            return 0
        return max(1, min(2 * ahead.taken, limit.count // AHEAD))


def _keep(counter: str, taken: int) -> None:
    """So many were counted, one of them for a request that is let in now."""
    with _lock:
        if len(_ahead) >= _MAX_KEPT:
            _ahead.clear()
        left = _ahead[counter].left if counter in _ahead else 0  # of another request at the same time
        _ahead[counter] = _Ahead(taken, left + taken - 1)


def _wait(count: int, before: int, passed: float, limit: Rate) -> float:
    """Seconds until one more fits. `count` is of this window with the one that is refused."""
    if count > limit.count:  # only the next window has room, once a request's share of it has passed
        return limit.seconds - passed + limit.seconds / limit.count
    return limit.seconds * (1 - (limit.count - count) / before) - passed
