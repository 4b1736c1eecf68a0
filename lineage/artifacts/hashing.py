"""Content digests of files and folders: an artifact's identity.

Owns: SHA-256 of a file, `dirHash` of a folder, what counts as part of a folder. Does not own: model file
formats, storage schemes, or what a digest means in the graph.

"Could not check" is not "wrong": whatever keeps a digest from being computed, or from being the same on
another machine, is an `InconclusiveError` and never a digest.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lineage import processors
from lineage.artifacts.tree import FileEntry, list_files
from lineage.errors import InconclusiveError

CHUNK_BYTES = 1 << 20
"""Bytes read at a time: large enough that hashing, not calling, is the cost."""

Progress = Callable[[int], None]
"""Called with the number of bytes hashed since the last call; from one thread at a time."""

_FILES_PER_TASK = 64
_buffers = threading.local()


@dataclass(frozen=True, slots=True)
class FileDigest:
    """One file of a folder. `path` is raw bytes, relative to the folder, with `/`."""

    path: bytes
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class FolderDigest:
    """A folder's identity. `dirhash` is lowercase hex; `files` are in C order of their paths."""

    dirhash: str
    files: tuple[FileDigest, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def hash_file(path: str | os.PathLike[str], progress: Progress | None = None) -> str:
    """The SHA-256 of a regular file's bytes, as lowercase hex. A symlink is followed.

    Raises:
        InconclusiveError: not a regular file, unreadable, or it changed while it was read.
    """
    return _hash_one(os.fsencode(path), progress)[0]


def hash_folder(path: str | os.PathLike[str], progress: Progress | None = None) -> FolderDigest:
    """A folder's `dirHash` and the digests of its files, hashed on all cores.

    Raises:
        InconclusiveError: see `tree.list_files`, or a file could not be read.
    """
    entries = list_files(os.fsencode(path))
    digests = hash_entries(entries, progress)
    return FolderDigest(dirhash=dirhash(digests), files=tuple(digests))


def dirhash(files: Iterable[FileDigest]) -> str:
    """SHA-256 over the manifest of `files`, as lowercase hex.

    Source: in-toto attestation, DigestSet, `dirHash`; Go's golang.org/x/mod/sumdb/dirhash, Hash1.
    """
    return hashlib.sha256(manifest(files)).hexdigest()


def manifest(files: Iterable[FileDigest]) -> bytes:
    """The lines `<sha256 hex>  <path>` in C order of the raw paths, each ended by a newline.

    It is what `sha256sum` prints, and its own SHA-256 is the folder's `dirHash`.
    """
    ordered = sorted(files, key=lambda file: file.path)
    return b"".join(file.sha256.encode() + b"  " + file.path + b"\n" for file in ordered)


def hash_entries(entries: Sequence[FileEntry], progress: Progress | None = None) -> list[FileDigest]:
    """Hash many files on all cores; the results are in the order of `entries`.

    Raises:
        InconclusiveError: one of them could not be read. Nothing is returned for the others.
    """
    report = serialised(progress)
    workers = processors.usable()
    # Small folders one file a task, since each file may be large; others in runs, since a task costs too.
    step = 1 if len(entries) < _FILES_PER_TASK * workers else _FILES_PER_TASK
    tasks = [entries[at : at + step] for at in range(0, len(entries), step)]
    if len(tasks) <= 1:
        return _hash_task(entries, report)
    with ThreadPoolExecutor(min(workers, len(tasks)), thread_name_prefix="hash") as pool:
        return [digest for done in pool.map(lambda task: _hash_task(task, report), tasks) for digest in done]


def serialised(progress: Progress | None) -> Progress | None:
    """`progress` behind a lock, since several threads report."""
    if progress is None:
        return None
    lock, call = threading.Lock(), progress

    def report(count: int) -> None:
        with lock:
            call(count)

    return report


def _hash_task(entries: Sequence[FileEntry], progress: Progress | None) -> list[FileDigest]:
    results = []
    for entry in entries:
        digest, size = _hash_one(entry.opened, progress)
        results.append(FileDigest(entry.path, digest, size))
    return results


def _hash_one(path: bytes, progress: Progress | None) -> tuple[str, int]:
    """SHA-256 as hex, and the size in bytes."""
    try:
        # O_NONBLOCK: a named pipe must be recognised, not waited for. It changes nothing for files.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InconclusiveError(f"{_shown(path)} can't be opened: {error.strerror}.") from error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise InconclusiveError(f"{_shown(path)} is not a regular file.")
        digest, size = _hash_descriptor(descriptor, progress)
        after = os.fstat(descriptor)
    except OSError as error:
        raise InconclusiveError(f"{_shown(path)} can't be read: {error.strerror}.") from error
    finally:
        os.close(descriptor)
    if (after.st_mtime_ns, after.st_size) != (before.st_mtime_ns, before.st_size) or size != after.st_size:
        raise InconclusiveError(f"{_shown(path)} changed while it was read.")
    return digest, size


def _hash_descriptor(descriptor: int, progress: Progress | None) -> tuple[str, int]:
    buffer = _buffer()
    digest, size = hashlib.sha256(), 0
    while count := os.readv(descriptor, [buffer]):
        digest.update(buffer[:count])  # releases the GIL
        size += count
        if progress is not None:
            progress(count)
    return digest.hexdigest(), size


def _buffer() -> memoryview:
    """One buffer a thread: allocating 1 MiB a file costs more than hashing a small file."""
    if not hasattr(_buffers, "view"):
        _buffers.view = memoryview(bytearray(CHUNK_BYTES))
    view: memoryview = _buffers.view
    return view


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
