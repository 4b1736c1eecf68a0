"""The files in which a process keeps its meters, with all of their blocks on the disk before one is written.

prometheus_client maps a file with holes into memory: on a disk that has become full the first write into a
hole ends the process by SIGBUS. Owns: reserving, at the beginning and where a file grows. Does not own: what
is in them, which prometheus_client reads and writes.

Source: prometheus_client, `mmap_dict.MmapedDict`; posix_fallocate(3).
"""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

INITIAL_BYTES = 1 << 20
ENTRY_BYTES = 1 << 12
"""More than one meter's name, labels and help take in a file."""


class ReservedFile(MmapedDict):
    """A file of meters without holes."""

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        """Raises: OSError where there is no room."""
        if not read_mode:
            _reserve(Path(filename), INITIAL_BYTES)
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        """Raises: OSError where the file must grow and there is no room: nothing has changed then."""
        if self._used + ENTRY_BYTES > self._capacity:
            _reserve(Path(self._fname), 2 * self._capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


def _reserve(path: Path, size: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)


def use() -> None:
    """Have prometheus_client keep meters in such files; to be called before the first meter is made."""
    values.MmapedDict = ReservedFile  # type: ignore[attr-defined]
