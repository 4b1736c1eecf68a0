"""How far a check is: in bytes where it is about one artifact, else in copies.

Owns: the figures, from what threads report while they read. Does not own: writing them (`job_lease`).
"""

from __future__ import annotations

import threading

from lineage.services.copies import Copy


class Meter:
    """`total` copies are to be looked at. `hashed` and `sized` may be called from any thread.

    All copies of one artifact should have one size, so the first that is told stands for those that are not
    open yet. In bytes the total is 0, not known, until then.
    """

    def __init__(self, *, in_bytes: bool) -> None:
        self.total = 0
        self.done = 0
        self.read = 0
        self._note = ""
        self._in_bytes = in_bytes
        self._sizes: dict[Copy, int] = {}
        self._reading: dict[Copy, int] = {}
        self._lock = threading.Lock()

    def say(self, note: str) -> None:
        self._note = note

    def begin(self, copy: Copy) -> None:
        self.say(copy.location)
        if self._in_bytes:
            with self._lock:
                self._reading[copy] = 0

    def sized(self, copy: Copy, size: int) -> None:
        """So many bytes are to be read of it."""
        if self._in_bytes:
            with self._lock:
                self._sizes[copy] = size

    def hashed(self, copy: Copy, count: int) -> None:
        """So many more bytes were read of it."""
        with self._lock:
            self.read += count
            if copy in self._reading:
                self._reading[copy] += count

    def looked(self, copy: Copy) -> None:
        """It is done."""
        self.done += 1
        with self._lock:
            self._reading.pop(copy, None)

    def figures(self) -> tuple[int, int, str]:
        """What is done, of how much, and words."""
        words = f"{self._note}; {self.read:,} bytes read" if self.read else self._note
        if not self._in_bytes:
            return self.done, self.total, words
        with self._lock:
            size = max(self._sizes.values(), default=0)
            now = [(count, self._sizes.get(copy, size)) for copy, count in self._reading.items()]
        # Once to its end, a file's parts are read for what is in them, or for what differs.
        if any(of and count > of for count, of in now):
            words += "; all of it is read, and what is in it is looked at"
        return self.done * size + sum(min(each) for each in now), self.total * size, words
