"""Let a burst pass before it is followed: receipts come first, the graph a moment later.

Owns: from which growth of the log on its followers rest, and for how long at most. Does not own: following
(`follow`, the embedded worker).

A follower takes as much of the machine for an entry as its receipt does, whether it comes now or a second
later. Senders of sets wait for receipts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

A_SECOND = 2_000
"""Entries; more than come one by one, so they come in sets."""
LOOK_SECONDS = 0.25
"""Between two looks whether the burst is over."""
MOST_SECONDS = 2.0
"""From the first rest on. Who is still behind then follows without a rest until level, however many come."""


@dataclass(slots=True)
class Burst:
    """What a follower remembers of how the log has grown: `size` entries at `looked_at`, None before it has
    looked; it rests no more after `until`. Times are monotonic seconds.
    """

    size: int | None = None
    looked_at: float = 0.0
    until: float | None = None

    def rest(self, size: int) -> float:
        """For how many seconds to leave the log alone, which has `size` entries now; 0 to go on.

        To be asked where more waits than one batch, and again after each rest. The first look tells nothing.
        """
        now, was = time.monotonic(), size if self.size is None else self.size
        seconds = max(now - self.looked_at, LOOK_SECONDS)
        self.size, self.looked_at = size, now
        if size - was < A_SECOND * seconds:
            return 0.0
        if self.until is None:
            self.until = now + MOST_SECONDS
        return max(0.0, min(LOOK_SECONDS, self.until - now))

    def level(self) -> None:
        """The follower has caught up: it may rest again."""
        self.until = None
