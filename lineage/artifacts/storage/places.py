"""From a location to where it lies under its storage's URI; nothing that leads elsewhere gets through.

Owns: the rule for URIs of remote storages. Does not own: which storage a location belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, unquote_to_bytes

from lineage.artifacts.reading import shown
from lineage.artifacts.storage.base import Item
from lineage.artifacts.tree import MAX_FILES
from lineage.errors import InconclusiveError, TooLargeError

_HOSTS = ("http", "https", "oci")
"""Schemes whose authority is a host, whose letters have no case; others name a bucket, an owner, a source."""
MAX_LOCATION = 8192
"""Characters."""


@dataclass(frozen=True, slots=True)
class Place:
    """A URI taken apart: `segments` are decoded, raw bytes; `folder`: it ends in `/`."""

    scheme: str
    authority: str
    segments: tuple[bytes, ...]
    folder: bool = False

    @property
    def path(self) -> bytes:
        return b"/".join(self.segments)


def place(uri: str) -> Place:
    """Raises: InconclusiveError for a query, a fragment, an empty segment, `.`, `..`, an encoded `/`, U+0000,
    user info. Source: RFC 3986, section 3."""
    scheme, separator, rest = uri.partition("://")
    authority, _, path = rest.partition("/")
    odd = "?" in uri or "#" in uri or "@" in authority or len(uri) > MAX_LOCATION
    if odd or not separator or not authority:
        raise InconclusiveError(f"{uri[:MAX_LOCATION]} is not the address of something in a storage.")
    parts = path.split("/") if path else []
    folder = not parts or parts[-1] == ""
    segments = tuple(decoded(part) for part in (parts[:-1] if parts and folder else parts))
    if any(segment in {b"", b".", b".."} or b"/" in segment or b"\0" in segment for segment in segments):
        raise InconclusiveError(f"{uri} has a part that is not followed: `..`, `.`, an empty one, or `%2F`.")
    return Place(scheme, authority.lower() if scheme in _HOSTS else authority, segments, folder)


def decoded(part: str) -> bytes:
    """Percent-decoded once."""
    return unquote_to_bytes(part.encode("utf-8", "surrogatepass"))


def under(base: Place, location: str) -> Place:
    """What comes after `base` in a location. Raises: InconclusiveError where it does not lie under it."""
    found = place(location)
    count = len(base.segments)
    same = (found.scheme, found.authority) == (base.scheme, base.authority)
    if not same or found.segments[:count] != base.segments:
        raise InconclusiveError(f"{location} is not in this storage.")
    return Place(found.scheme, found.authority, found.segments[count:], found.folder)


def quoted(path: bytes) -> str:
    """A path for a URL: everything but unreserved characters and `/` is percent-encoded."""
    return quote(path, safe="/")


def text(path: bytes) -> str:
    """A path for a service whose names are UTF-8. Raises: InconclusiveError where it is none."""
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        raise InconclusiveError(f"{shown(path)} is not UTF-8, as all names are there.") from None


def listed(path: bytes) -> bytes:
    """A path in a listing, once it is shown to be one. Raises: InconclusiveError."""
    if b"\n" in path:
        raise InconclusiveError(f"{shown(path)!r} has a newline in it, which dirHash can't express.")
    if b"\0" in path or any(part in {b"", b".", b".."} for part in path.split(b"/")):
        raise InconclusiveError(f"A listing names {shown(path)!r}, which is no path in a folder.")
    return path


def in_order(items: list[Item]) -> list[Item]:
    """In C order of the raw paths. Raises: InconclusiveError where one is named twice."""
    items.sort(key=lambda item: item.path)
    for one, other in pairwise(items):
        if one.path == other.path:
            raise InconclusiveError(f"A listing names {shown(one.path)} twice.")
    return items


def within_limit(count: int) -> None:
    """Raises: TooLargeError for more files than a folder may have."""
    if count > MAX_FILES:
        raise TooLargeError(f"The folder has more than {MAX_FILES:,} files.", limit=MAX_FILES)
