"""The hashes inside tiles, by which proofs are made: a tile holds its lowest row, the rest follows from it.

Owns: those rows, and remembering some of them. What a log of some name has published never changes, so a
tile's rows are made once, and only grow where it was not full. Does not own: reading tiles (`tiles`).
Source: RFC 6962 section 2.1; C2SP tlog-tiles.
"""

from __future__ import annotations

from hashlib import sha256
from threading import Lock

PAIR = 64
Rows = tuple[bytes, ...]
"""By height: hashes of 32 bytes each, from left to right; each row has those above the pairs of the last."""
Place = tuple[str, int, int]
"""Of a tile: the name of its log, level, number."""


def rows(hashes: bytes) -> Rows:
    """All rows above `hashes` (1 to 256 of them) with itself: of a full tile nine, the last of which is its
    root. What has no sibling yet has nothing above it."""
    made = [hashes]
    while len(row := made[-1]) >= PAIR:
        ends = range(0, len(row) - len(row) % PAIR, PAIR)
        # Written out: a call of a function for each would take twice as long as the hash.
        made.append(b"".join([sha256(b"\x01" + row[at : at + PAIR]).digest() for at in ends]))
    return tuple(made)


class Memory:
    """Rows of the tiles that were used last, `most` of them, 16.8 KB each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[Place, Rows] = {}
        self._lock = Lock()

    def get(self, place: Place) -> Rows | None:
        with self._lock:
            found = self._kept.pop(place, None)
            if found is not None:
                self._kept[place] = found  # now it is the newest
            return found

    def put(self, place: Place, made: Rows) -> None:
        with self._lock:
            self._kept.pop(place, None)
            self._kept[place] = made
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
