"""The digests of a file's regions, in one pass over the file.

Owns: reading in order and giving each byte to whoever wants it. Does not own: which regions there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from lineage import processors
from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import CHUNK_BYTES, ByteSource
from lineage.errors import InconclusiveError

_WORTH_A_THREAD = 1 << 17
"""Bytes below which handing work to a thread costs more than it saves."""


@dataclass(slots=True)
class Region:
    """Bytes `start` to `end` (exclusive) of a file, and what is fed with them: hashlib objects."""

    start: int
    end: int
    hashers: list[Any] = field(default_factory=list)


def feed(source: ByteSource, regions: Iterable[Region], progress: Progress | None = None) -> None:
    """Read the whole file in order, and feed each region's hashers.

    Regions are in order and don't overlap; what lies between them is read and passed over.

    Raises: InconclusiveError where the file can't be read, or is shorter than it said.
    """
    ordered = [region for region in regions if region.end > region.start]
    at, index = 0, 0
    buffer = memoryview(bytearray(CHUNK_BYTES))
    with ThreadPoolExecutor(processors.usable(), thread_name_prefix="hash") as pool:
        while count := source.readinto(buffer):
            index = _give(pool, ordered, index, at, buffer[:count])
            at += count
            if progress is not None:
                progress(count)
    if at != source.size:
        raise InconclusiveError(f"The file ended after {at:,} of its {source.size:,} bytes.")
    source.finish()


def _give(pool: Executor, regions: Sequence[Region], index: int, at: int, chunk: memoryview) -> int:
    """Feed one chunk, which starts at byte `at`; the index of the first region that isn't over yet.

    Several hashers of a long part run side by side: updating one releases the GIL.
    """
    end = at + len(chunk)
    while index < len(regions) and regions[index].start < end:
        region = regions[index]
        part = chunk[max(region.start - at, 0) : region.end - at]
        if len(part) < _WORTH_A_THREAD or len(region.hashers) == 1:
            for hasher in region.hashers:
                hasher.update(part)
        else:
            list(pool.map(lambda hasher, part=part: hasher.update(part), region.hashers))
        if region.end > end:
            break
        index += 1
    return index


def between(regions: Sequence[Region], size: int, hasher: Any) -> list[Region]:
    """The regions and, fed to `hasher`, what lies before, between and behind them, in order."""
    complete: list[Region] = []
    at = 0
    for region in regions:
        if region.start > at:
            complete.append(Region(at, region.start, [hasher]))
        complete.append(region)
        at = max(at, region.end)
    if size > at:
        complete.append(Region(at, size, [hasher]))
    return complete


def sha256_of(content: bytes) -> str:
    """Lowercase hex SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()
