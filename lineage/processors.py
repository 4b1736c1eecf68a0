"""How many of the machine's processors this process may use."""

from __future__ import annotations

import os


def usable() -> int:
    """At least one: fewer than the machine has where this process was told so (`taskset`, a container's
    `cpuset`). Elsewhere than on Linux all of them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
