"""The one place where services ask what time it is."""

import time

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps


def now_us() -> int:
    """Microseconds since the epoch, UTC, by this machine's clock. It may step back; the log doesn't."""
    return time.time_ns() // 1000


def steady_us() -> int:
    """Microseconds since some moment, by a clock that nobody can set; only differences mean anything."""
    return time.clock_gettime_ns(_STEADY) // 1000
