"""The one place where services ask what time it is."""

import time


def now_us() -> int:
    """Microseconds since the epoch, UTC, by this machine's clock. It may step back; the log doesn't."""
    return time.time_ns() // 1000
