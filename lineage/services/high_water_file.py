"""Where the high-water file lies, and how it is replaced: whole or not at all, by one process at a time.

Owns: the file and its lock. Does not own: the form (`trust.high_water`), when it may be replaced
(`high_water`).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lineage.config import current
from lineage.trust.high_water import MAX_BYTES

LOCK = ".lock"
"""After the file's name. It is never taken away: whoever waits for it holds it open."""


def path() -> Path:
    """LINEAGE_HIGH_WATER."""
    return current().high_water


def read() -> bytes | None:
    """The file's bytes, at most one more than it may have; None where there is none.

    Raises: OSError where it can't be read.
    """
    try:
        with path().open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None


@contextmanager
def alone() -> Iterator[None]:
    """Hold the file against other processes of this and, on a network file system, of other machines.

    The kernel lets go of it when the process ends, however it ends. Raises: OSError.
    """
    target = path()
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(target.with_name(target.name + LOCK), flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(data: bytes) -> None:
    """Replace the file, 0600: a crash leaves the old one or the new one, and once this returns the new one.

    To be called by whoever is `alone`, so that what a killed process left half written is nobody's by now.
    Raises: OSError where it could not be written; the old one is then still there.
    """
    target = path()
    temporary = target.with_name(f".{target.name}.new")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync(target.parent)


def _sync(folder: Path) -> None:
    """The new name is on the disk too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
