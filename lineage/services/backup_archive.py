"""Writing an archive: parts of bounded size into a gzipped tar, and a manifest of what was written.

Owns: the tar's form (POSIX ustar, nothing but plain files), the temporary name until it is whole.
Does not own: what stands in the files (`backup`).
"""

from __future__ import annotations

import gzip
import os
import secrets
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from lineage.errors import ConflictError, UnavailableError
from lineage.services import backup_format
from lineage.services.backup_format import File
from lineage.trust.digest import sha256_hex

_LEVEL = 1
"""Envelopes are base64 twice over: harder tries take five times as long for a twentieth of the size."""


@contextmanager
def create(path: Path, modified_us: int) -> Iterator[Archive]:
    """An archive that has its name, 0600, once the block has ended well; otherwise nothing is left of it.

    Raises: ConflictError where `path` is there already; UnavailableError where it can't be written.
    """
    _refuse_existing(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                with gzip.GzipFile("", "wb", _LEVEL, file, modified_us / 1e6) as packed:
                    archive = Archive(packed, modified_us // 1_000_000)
                    yield archive
                    archive.close()
                file.flush()
                os.fsync(file.fileno())
            _refuse_existing(path)
            temporary.rename(path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UnavailableError(f"{path} can't be written: {error.strerror or error}.") from error


def _refuse_existing(path: Path) -> None:
    if os.path.lexists(path):
        raise ConflictError(f"{path} is there already.", hint="Give another name, or move it away")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Archive:
    """`files` are those written so far, for the manifest."""

    def __init__(self, packed: gzip.GzipFile | BinaryIO, modified: int) -> None:
        self.files: list[File] = []
        self._packed = packed
        self._modified = modified
        self._written = 0

    def add(self, name: str, content: bytes, rows: int = 0) -> None:
        """One file."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(content), 0o600, self._modified
        self._write(info.tobuf(tarfile.USTAR_FORMAT))
        self._write(content)
        self._write(bytes(-len(content) % tarfile.BLOCKSIZE))
        self.files.append(File(name, rows, len(content), sha256_hex(content)))

    def add_rows(self, section: str, lines: Iterable[bytes]) -> int:
        """Rows, each a JSON text without a newline, in as many parts as they need; returns how many."""
        part, size, number, total = list[bytes](), 0, 0, 0
        for line in lines:
            part.append(line)
            size += len(line) + 1
            total += 1
            if size >= backup_format.PART_BYTES:
                self._add_part(section, number, part)
                part, size, number = [], 0, number + 1
        if part:
            self._add_part(section, number, part)
        return total

    def _add_part(self, section: str, number: int, lines: list[bytes]) -> None:
        lines.append(b"")
        self.add(backup_format.part(section, number), b"\n".join(lines), len(lines) - 1)

    def close(self) -> None:
        """The two empty blocks that end a tar, in a whole record."""
        self._write(bytes(2 * tarfile.BLOCKSIZE))
        self._write(bytes(-self._written % tarfile.RECORDSIZE))

    def _write(self, data: bytes) -> None:
        self._packed.write(data)
        self._written += len(data)
