"""The high-water file: the newest published checkpoint as it was signed, and since when it is kept.

Owns: the file's form. Does not own: where it lies and how it is written (`services.high_water_file`), or what
follows where the log does not hold its checkpoint (`services.high_water`).

Three lines of its own, a blank line, then the signed note, which any C2SP client reads:

    lineage-high-water 1
    since 2026-01-31T12:00:00.000000Z
    from 57

    example.com/log
    …
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lineage.errors import MalformedError, TooLargeError
from lineage.trust import checkpoint
from lineage.trust.leaf import parse_rfc3339, rfc3339

MAX_BYTES = 65_536
"""A note has some hundred bytes, and as many again for each key that signs beside the one of now."""
_HEADER = "lineage-high-water 1"
_FORM = re.compile(rb"lineage-high-water 1\nsince ([0-9TZ:.-]{27})\nfrom ([1-9][0-9]{0,18})\n\n", re.ASCII)


@dataclass(frozen=True, slots=True)
class HighWater:
    """A checkpoint that was published, as its note says: `origin`, `size` in entries, `root` 32 raw bytes.

    `note` are the bytes that were signed, with their signatures. `since_us` (µs UTC) and `from_size`: when
    the file was begun, and with a checkpoint of how many entries. These two are nobody's statement: whoever
    can write the file can set them.
    """

    origin: str
    size: int
    root: bytes
    note: bytes
    since_us: int = 0
    from_size: int = 1

    @property
    def named(self) -> tuple[str, int, bytes]:
        """By which a decision names it as lost."""
        return self.origin, self.size, self.root

    def encode(self) -> bytes:
        """The file's bytes."""
        head = f"{_HEADER}\nsince {rfc3339(self.since_us)}\nfrom {self.from_size}\n\n"
        return head.encode("ascii") + self.note


def of_note(note: bytes, *, since_us: int, from_size: int) -> HighWater:
    """What a note says; who signed it is not asked. Raises: MalformedError where it is no checkpoint."""
    text, _ = checkpoint.split_note(note)
    said = checkpoint.parse_body(text)
    if said.size < 1:
        raise MalformedError("A checkpoint of no entries is no high water.", where="the note")
    return HighWater(said.origin, said.size, said.root, note, since_us, from_size)


def parse(data: bytes) -> HighWater:
    """The reverse of `HighWater.encode`; who signed the note is not asked.

    Raises: MalformedError for any other bytes; TooLargeError for more than 64 KiB.
    """
    if len(data) > MAX_BYTES:
        raise TooLargeError(f"The high-water file has more than {MAX_BYTES:,} bytes.", limit=MAX_BYTES)
    found = _FORM.match(data)
    if found is None:
        raise MalformedError("The high-water file does not begin as one does.", where="its first lines")
    since, first = found[1].decode("ascii"), int(found[2])
    made = of_note(data[found.end() :], since_us=parse_rfc3339(since), from_size=first)
    if made.encode() != data or first >= 1 << 63:
        raise MalformedError("The high-water file is not in its one form.", where="its first lines")
    return made
