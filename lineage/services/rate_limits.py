"""How often somebody may ask: a sliding window, counted for all web processes together where Redis is.

Owns: the arithmetic and the counters. Does not own: where they lie (`lineage.cache`), who is limited how (the
callers), or the limits of signing in (allauth's).

Two fixed windows make a sliding one: what the last window let in counts for the share of it that is still
within one length of the window from now. At the worst that lets in a few requests too many or too few, and it
needs two counters a name, however often it asks. Only what was let in is counted.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, cast

from django.core.cache import cache

from lineage.errors import RateLimitedError
from lineage.people_settings import Rate
from lineage.trust.digest import sha256_hex

if TYPE_CHECKING:
    from lineage.cache import LocalCounters, SharedCounters


def take(name: str, limit: Rate | None) -> None:
    """Count a request of `name`, such as `person:<email>`. Raises: RateLimitedError for one too many."""
    if limit is None:
        return
    now = time.time()
    window, passed = divmod(now, limit.seconds)
    key = f"rate:{sha256_hex(name.encode('utf-8', 'replace'))[:32]}:{limit.count}:{limit.seconds}"
    current = f"{key}:{window:.0f}"
    counters = cast("LocalCounters | SharedCounters", cache)
    count, before = counters.count(current, f"{key}:{window - 1:.0f}", 2 * limit.seconds)
    before = min(before, limit.count)
    if count + before * (1 - passed / limit.seconds) <= limit.count:
        return
    cache.incr(current, -1)
    raise RateLimitedError(
        f"More than {limit.count:,} requests in {limit.seconds:,} seconds.",
        retry_after=max(1, math.ceil(_wait(count, before, passed, limit))),
        hint="Send it again after the seconds in Retry-After; an operator sets LINEAGE_RATE_LIMIT.",
    )


def _wait(count: int, before: int, passed: float, limit: Rate) -> float:
    """Seconds until one more fits. `count` is of this window with the one that is refused."""
    if count > limit.count:  # only the next window has room, once a request's share of it has passed
        return limit.seconds - passed + limit.seconds / limit.count
    return limit.seconds * (1 - (limit.count - count) / before) - passed
