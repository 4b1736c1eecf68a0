"""The bytes of one file, read once: its digest, its BLAKE3, and those of its shards in the same pass.

Owns: what is hashed beside what, shards and how they are compared. Does not own: where bytes come from
(`reading`, `storage`), or what a format makes of them (`formats`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from blake3 import blake3

from lineage.artifacts.hashing import Progress
from lineage.artifacts.reading import CHUNK_BYTES, ByteSource
from lineage.errors import InconclusiveError

SHARD_BYTES = 256 << 20
"""A large file is also hashed in shards of this many bytes, so that damage is localised."""
BESIDE_BYTES = 8 << 20
"""Files from this size on have their BLAKE3 taken on another core, while SHA-256 goes on on this one."""

Opener = Callable[[], ByteSource]


class _Hash(Protocol):
    def update(self, content: memoryview, /) -> object: ...

    def hexdigest(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Content:
    """`digest` by the algorithm that was asked for; `blake3` of all bytes; `shards`: BLAKE3 of each.

    All are lowercase hex. A file of up to SHARD_BYTES has one shard, which is the whole.
    """

    size: int
    digest: str
    blake3: str
    shards: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read(
    source: ByteSource, algorithm: str, progress: Progress | None = None, *, inside: bool = True
) -> Content:
    """Read a file to its end. `algorithm`: of hashlib, or `blake3`; without `inside` nothing else is hashed.

    Raises: InconclusiveError for what could not be read, or changed meanwhile.
    """
    main = _hasher(algorithm)
    beside = _Beside() if inside else None
    pool = ThreadPoolExecutor(1) if beside and source.size >= BESIDE_BYTES else None
    # One byte more than there should be shows that it grows. Small files are many: their buffers are small.
    length = min(CHUNK_BYTES, source.size + 1)
    buffers = [memoryview(bytearray(length)) for _ in range(2 if pool else 1)]
    waiting: Future[None] | None = None
    size = turn = 0
    try:
        while count := source.readinto(buffers[turn]):
            chunk = buffers[turn][:count]
            if waiting is not None:
                waiting.result()
                waiting = None
            if beside is not None and pool is not None:
                waiting = pool.submit(beside.update, chunk)
            elif beside is not None:
                beside.update(chunk)
            main.update(chunk)  # releases the GIL
            size += count
            if size > source.size:  # it may grow for ever
                raise InconclusiveError(f"It had {source.size:,} bytes when it was opened, and grows.")
            turn = (turn + 1) % len(buffers)
            if progress is not None:
                progress(count)
        if waiting is not None:
            waiting.result()
    finally:
        if pool is not None:
            pool.shutdown()
    source.finish()
    if size != source.size:
        raise InconclusiveError(f"It had {source.size:,} bytes when it was opened, and {size:,} were read.")
    whole, shards = beside.digests() if beside else ("", ())
    return Content(size, main.hexdigest(), whole, shards, tuple(source.notes))


class _Beside:
    """BLAKE3 of all bytes and of each shard."""

    def __init__(self) -> None:
        self._whole = blake3()
        self._shard: _Hash | None = None  # while there is one shard alone, it is the whole
        self._left = SHARD_BYTES
        self._shards: list[str] = []

    def update(self, chunk: memoryview) -> None:
        while len(chunk):
            if not self._left:
                self._shards.append((self._shard or self._whole).hexdigest())
                self._shard, self._left = blake3(), SHARD_BYTES
            part = chunk[: self._left]
            self._whole.update(part)
            if self._shard is not None:
                self._shard.update(part)
            self._left -= len(part)
            chunk = chunk[len(part) :]

    def digests(self) -> tuple[str, tuple[str, ...]]:
        last = (self._shard or self._whole).hexdigest()
        return self._whole.hexdigest(), (*self._shards, last)


def read_shards(
    opened: Opener, size: int, wanted: Sequence[int], workers: int, progress: Progress | None = None
) -> dict[int, str]:
    """BLAKE3 of the shards with these numbers, of a file of `size` bytes, several at a time.

    `opened` opens the file once more for each thread. Raises: InconclusiveError as `read`.
    """
    if len(wanted) <= 1 or workers <= 1:
        return dict(_some_shards(opened, size, wanted, progress))
    parts = [wanted[start::workers] for start in range(min(workers, len(wanted)))]
    with ThreadPoolExecutor(len(parts), thread_name_prefix="shards") as pool:
        done = pool.map(lambda part: list(_some_shards(opened, size, part, progress)), parts)
        return dict(pair for found in done for pair in found)


def _some_shards(
    opened: Opener, size: int, wanted: Iterable[int], progress: Progress | None
) -> Iterable[tuple[int, str]]:
    with closing(opened()) as source:
        if source.size != size:  # what lies beyond the shards would not be looked at
            raise InconclusiveError(f"It changed while it was read: {size:,} bytes became {source.size:,}.")
        for number in wanted:
            digest = blake3()
            start, end = shard_range(number, size)
            while start < end:
                part = source.read_at(start, min(CHUNK_BYTES, end - start))
                digest.update(part)
                start += len(part)
                if progress is not None:
                    progress(len(part))
            yield number, digest.hexdigest()
        source.finish()


def shard_range(number: int, size: int) -> tuple[int, int]:
    """Its first byte, and the one after its last."""
    return number * SHARD_BYTES, min((number + 1) * SHARD_BYTES, size)


def shard_count(size: int) -> int:
    """How many shards a file of `size` bytes has: an empty one has one too."""
    return max(1, -(-size // SHARD_BYTES))


def shard_list(shards: Iterable[str]) -> str:
    """One digest for some shards: BLAKE3 over their digests, 32 bytes each, in order; lowercase hex."""
    return blake3(b"".join(bytes.fromhex(shard) for shard in shards)).hexdigest()


def _hasher(algorithm: str) -> _Hash:
    if algorithm == "blake3":
        return blake3()
    try:
        found = hashlib.new(algorithm)
        if not found.digest_size:  # as long as one likes, so two lengths of it would be two digests
            raise ValueError
    except ValueError:
        raise InconclusiveError(f"{algorithm} is not a digest that can be computed here.") from None
    return found
