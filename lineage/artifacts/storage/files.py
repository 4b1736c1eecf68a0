"""Folders of this machine, mounts included.

Owns: from a `file://` location to an open regular file, whatever is exchanged meanwhile. Does not own: which
files a folder consists of (`artifacts.tree`).
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from urllib.parse import unquote_to_bytes

from lineage.artifacts.reading import ByteSource, LocalBytes, shown
from lineage.artifacts.storage.base import Access, GoneError, Item, MissingError, Scheme, Storage
from lineage.artifacts.tree import list_files
from lineage.errors import InconclusiveError

_LOCAL_HOSTS = ("", "localhost")
_TYPES = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Folder(Storage):
    """Files under `access.root`, all links resolved: none may lead out of it."""

    def __init__(self, access: Access) -> None:
        self._root = os.fsencode(access.root)
        self._real = b""

    def probe(self) -> None:
        """The root is a folder that can be listed. An empty one is none: a mount that went may look so."""
        root = self._real_root()
        try:
            with os.scandir(root) as listing:
                if next(listing, None) is None:
                    raise GoneError(f"{shown(self._root)} is empty: is what was mounted there gone?")
        except OSError as error:
            raise GoneError(f"{shown(self._root)} can't be listed: {error.strerror}.") from error

    def item(self, location: str) -> Item:
        path = self._resolved(location)
        found = _status(path)
        if not stat.S_ISREG(found.st_mode):
            raise InconclusiveError(f"{shown(path)} is {_type(found.st_mode)} and not a regular file.")
        return Item(b"", found.st_size, os.fsdecode(path))

    def items(self, location: str) -> list[Item]:
        path = self._resolved(location)
        return [Item(each.path, _size(each.opened), os.fsdecode(each.opened)) for each in list_files(path)]

    def open(self, item: Item) -> ByteSource:
        path = os.fsencode(item.opened)
        # Where the root is was found when the file was: resolving it for each file costs more than opening.
        if not _inside(path, self._real or self._real_root()):
            raise InconclusiveError(f"{shown(path)} is not in {shown(self._root)}.")
        try:
            return _ExactBytes(path)
        except MissingError:
            self.probe()  # nothing is missing in a mount that went
            raise

    def close(self) -> None:
        """Nothing is held."""

    def _real_root(self) -> bytes:
        try:
            root = os.path.realpath(self._root, strict=True)
        except OSError as error:
            raise GoneError(f"{shown(self._root)} is not there: {error.strerror}.") from error
        if not os.path.isdir(root):
            raise GoneError(f"{shown(self._root)} is not a folder.")
        self._real = root
        return root

    def _resolved(self, location: str) -> bytes:
        """The path with all links resolved. Source: RFC 8089, section 2."""
        root = self._real_root()
        path = _path(location)
        try:
            real = os.path.realpath(path, strict=True)
        except (FileNotFoundError, NotADirectoryError) as error:
            self.probe()  # nothing is missing in a mount that went
            raise MissingError(f"Nothing is at {shown(path)}.") from error
        except OSError as error:
            raise InconclusiveError(f"{shown(path)} can't be resolved: {error.strerror}.") from error
        if not _inside(real, root):
            raise InconclusiveError(f"{shown(path)} leads out of {shown(self._root)}.")
        return real


class _ExactBytes(LocalBytes):
    """The regular file at exactly this path, without any link on the way.

    It is found by a descriptor that opens nothing (a device is left alone), whose path is what the kernel
    says now. Whatever is exchanged between the look and the opening is so refused.
    """

    def __init__(self, path: bytes) -> None:
        self.notes: list[str] = []
        self._path = path
        self._read = 0
        self._descriptor = -1
        place = -1
        try:
            place = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
            there = b"/proc/self/fd/%d" % place
            self._before = os.fstat(place)
            if not stat.S_ISREG(self._before.st_mode):
                raise InconclusiveError(
                    f"{shown(path)} is {_type(self._before.st_mode)} and no regular file."
                )
            if os.readlink(there) != path:
                raise InconclusiveError(f"{shown(path)} was exchanged: a link leads elsewhere.")
            self._descriptor = os.open(there, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise MissingError(f"Nothing is at {shown(path)}.") from error
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "its name has a zero byte"
            raise InconclusiveError(f"{shown(path)} can't be opened: {why}.") from error
        finally:
            if place >= 0:
                os.close(place)


def _path(location: str) -> bytes:
    scheme, _, rest = location.partition("://")
    host, slash, path = rest.partition("/")
    if scheme != "file" or not slash or host.lower() not in _LOCAL_HOSTS or "?" in path or "#" in path:
        raise InconclusiveError(f"{location} is no file of this machine.")
    decoded = b"/" + unquote_to_bytes(path.encode("utf-8", "surrogatepass"))
    if b"\0" in decoded or b".." in decoded.split(b"/"):
        raise InconclusiveError(f"{location} has a part that is not followed.")
    return decoded


def _inside(path: bytes, root: bytes) -> bool:
    return path == root or path.startswith(root.rstrip(b"/") + b"/")


def _status(path: bytes) -> os.stat_result:
    try:
        return os.lstat(path)
    except FileNotFoundError as error:
        raise MissingError(f"Nothing is at {shown(path)}.") from error
    except OSError as error:
        raise InconclusiveError(f"{shown(path)} can't be looked at: {error.strerror}.") from error


def _size(path: bytes) -> int | None:
    with suppress(OSError):  # whoever opens it says what is wrong
        return os.lstat(path).st_size
    return None


def _type(mode: int) -> str:
    return next((name for recognises, name in _TYPES if recognises(mode)), "something else")


FILE = Scheme("file", "Folder of this machine", ("file",), Folder, ("root",))
