"""Which files a folder consists of, in an order that is the same on every machine.

Owns: the walk, and the rules for symlinks and odd names (see docs/design.md, identity). Does not own:
hashing. Paths are raw bytes throughout: a file name is bytes, and two names that differ only in how a
locale decodes them are two names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from lineage.errors import InconclusiveError, TooLargeError

MAX_FILES = 10_000_000
"""Files in one folder. Folders that link to each other can name a few files exponentially often."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """`path` is relative to the folder, with `/`; `opened` is what to open for its bytes."""

    path: bytes
    opened: bytes


def list_files(folder: bytes) -> list[FileEntry]:
    """Every file under `folder`, in C order of the raw paths. Empty folders don't count.

    A symlink counts as what it points to, if that lies in the folder.

    Raises:
        InconclusiveError: not a readable folder; a newline in a path; a symlink that is broken, leads out
            of the folder or into itself; a device, socket or named pipe.
        TooLargeError: more than `MAX_FILES` files.
    """
    root = os.path.realpath(folder)
    if not os.path.isdir(root):
        raise InconclusiveError(f"{_shown(folder)} is not a folder that can be read.")
    entries: list[FileEntry] = []
    for entry in _walk(root):
        entries.append(entry)
        if len(entries) > MAX_FILES:
            raise TooLargeError(f"{_shown(folder)} has more than {MAX_FILES} files.", limit=MAX_FILES)
    entries.sort(key=lambda entry: entry.path)
    return entries


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder still to be listed: where it is, its path as counted, the real folders that led here."""

    real: bytes
    prefix: bytes
    above: tuple[bytes, ...]


def _walk(root: bytes) -> Iterator[FileEntry]:
    # A list of what is left instead of recursion: a path may be deeper than Python's stack.
    left = [_Folder(root, b"", (root,))]
    while left:
        folder = left.pop()
        for item in _listing(folder.real):
            path = folder.prefix + item.name
            if b"\n" in item.name:
                raise InconclusiveError(f"{_shown(path)!r} has a newline in it, which dirHash can't express.")
            real = _target(root, item.path, path) if item.is_symlink() else item.path
            if item.is_file():
                yield FileEntry(path, real)
            elif not item.is_dir():
                raise InconclusiveError(f"{_shown(path)} is neither a file nor a folder.")
            elif real in folder.above:
                raise InconclusiveError(f"The symlink {_shown(path)} leads into itself.")
            else:
                left.append(_Folder(real, path + b"/", (*folder.above, real)))


def _listing(folder: bytes) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(folder) as listing:
            return list(listing)
    except OSError as error:
        raise InconclusiveError(f"{_shown(folder)} can't be listed: {error.strerror}.") from error


def _target(root: bytes, link: bytes, path: bytes) -> bytes:
    """Where a symlink ends, all links resolved, if that exists and lies in `root`."""
    try:
        target = os.path.realpath(link, strict=True)
    except OSError as error:
        raise InconclusiveError(f"The symlink {_shown(path)} leads nowhere: {error.strerror}.") from error
    if target != root and not target.startswith(root.rstrip(b"/") + b"/"):
        raise InconclusiveError(f"The symlink {_shown(path)} leads out of the folder.")
    return target


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
