"""One part of the log read again by one process, and parts joined: what `log_audit` hands out and gets back.

Owns: the form of a part on its way to the process that reads it and back, the order of checks within one,
and what must hold from one part to the next. Does not own: entries (`log_audit_entries`), tiles and
checkpoints (`log_audit_tree`), processes (`log_audit_crew`).
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lineage.errors import LogIntegrityError
from lineage.services import log_audit_tree
from lineage.services.log_audit_entries import Entries, Seam
from lineage.services.log_audit_tree import PART
from lineage.trust.merkle import EMPTY_ROOT, node_hash


class Log(msgspec.Struct, frozen=True):
    """The log as it stood when the audit began.

    Attributes:
        origin, policy_index: its name, and its newest decision about keys.
        size: entries; `published`: those under a checkpoint.
        start: of entries below this index only the stored leaves are read.
    """

    origin: str
    policy_index: int
    size: int
    published: int
    start: int


class Part(msgspec.Struct, frozen=True):
    """Entries from `first`, a multiple of `PART`, to before `end`: PART, or fewer at the log's end."""

    log: Log
    first: int
    end: int


class PartRead(msgspec.Struct, frozen=True):
    """What came of reading a part; nothing but `wrong` counts where that is not empty.

    Attributes:
        wrong: the first thing that is wrong in it.
        before, last: the entry that the first one follows, and the last one; None: there is none, or it was
            not read whole.
        read, redacted: entries read whole; those of them whose envelopes a decision took away.
        checkpoints, cosignatures: how many verified. `strangers`: cosignatures of nobody who is configured.
        unknown: why checkpoints could not be verified; "" where they could.
        hashes: roots of the full subtrees that the part's leaves make, the largest first.
        spine: the same of everything before the part, as its checkpoints have it; None where it has none.
        newest: the size of the last of those checkpoints.
    """

    wrong: str = ""
    before: Seam | None = None
    last: Seam | None = None
    read: int = 0
    redacted: int = 0
    checkpoints: int = 0
    cosignatures: int = 0
    strangers: int = 0
    unknown: str = ""
    hashes: tuple[bytes, ...] = ()
    spine: bytes | None = None
    newest: int = 0


def parts(log: Log, first: int = 0, end: int | None = None) -> Iterator[Part]:
    """The parts from `first`, a multiple of PART, on; before `end` (None: to the log's own).

    Where the log ends with a full part another follows, which is empty: checkpoints over all entries are its.
    """
    for begin in range(first, log.size + 1 if end is None else end, PART):
        yield Part(log, begin, min(begin + PART, log.size))


def read(part: Part) -> PartRead:
    """Read one part. Damage is no error. Raises: DatabaseError."""
    log = part.log
    entries = Entries(log.origin, max(part.first, min(log.start, part.end)), part.end)
    try:
        leaves = log_audit_tree.stored_leaves(part.first, entries.first)
        leaves += entries.leaves()
        tree = log_audit_tree.PartTree(part.first, leaves)
        tree.compare_tiles(log.published)
        told = tree.verify_checkpoints(log.origin, log.policy_index, log.published)
    except LogIntegrityError as error:
        return PartRead(wrong=error.message.removeprefix("The log is damaged: ").rstrip("."))
    return PartRead(
        before=entries.before,
        last=entries.last,
        read=entries.read,
        redacted=entries.redacted,
        checkpoints=told.verified,
        cosignatures=told.cosignatures,
        strangers=told.strangers,
        unknown=told.unknown,
        hashes=tree.hashes,
        spine=told.spine,
        newest=told.newest,
    )


class Joined:
    """Parts in order, from `size` on: what each begins with is what the one before ended with.

    `hashes` are the roots of the full subtrees before the first part, the largest first; None: no
    checkpoint knows them, so nothing is compared with them. `part` is where the part in hand begins; None:
    all were right.
    """

    def __init__(self, size: int = 0, hashes: tuple[bytes, ...] | None = ()) -> None:
        self.size = size
        self.part: int | None = size
        self._hashes = None if hashes is None else list(hashes)
        self._last: Seam | None = None
        self.read = self.redacted = self.checkpoints = self.cosignatures = self.strangers = 0
        self.unknown = ""

    def add(self, part: Part, found: PartRead) -> None:
        """Raises: LogIntegrityError for what is wrong in the part, or where it does not follow."""
        self.part = part.first
        if found.wrong:
            raise LogIntegrityError(found.wrong)
        if self._last is not None and found.before is not None and found.before != self._last:
            raise LogIntegrityError(f"entry {self._last.index} was altered while the log was read")
        if found.spine is not None and found.spine != b"".join(self._hashes or ()):
            raise LogIntegrityError(f"the checkpoint at {found.newest} was signed over other entries")
        self._grow(part.end - part.first, found.hashes)
        self._last = found.last
        self.read += found.read
        self.redacted += found.redacted
        self.checkpoints += found.checkpoints
        self.cosignatures += found.cosignatures
        self.strangers += found.strangers
        self.unknown = self.unknown or found.unknown

    def finish(self) -> None:
        """Call it after the last part. Raises: LogIntegrityError where checkpoints could not be verified."""
        if self.unknown:
            raise LogIntegrityError(f"no checkpoint could be verified: {self.unknown}")
        self.part = None

    def _grow(self, count: int, hashes: tuple[bytes, ...]) -> None:
        if self._hashes is None:
            self.size += count
            return
        levels = [level for level in range(count.bit_length(), -1, -1) if count >> level & 1]
        for level, made in zip(levels, hashes, strict=True):
            place, digest = self.size >> level, made
            while place & 1:
                digest = node_hash(self._hashes.pop(), digest)
                place >>= 1
            self._hashes.append(digest)
            self.size += 1 << level

    def root(self) -> bytes:
        """32 raw bytes, over all leaves so far, from the first of the log on."""
        if not self._hashes:
            return EMPTY_ROOT
        root = self._hashes[-1]
        for left in reversed(self._hashes[:-1]):
            root = node_hash(left, root)
        return root
