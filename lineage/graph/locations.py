"""Which stated locations are copies: those under a configured storage, judged by their text alone.

Owns: the rule for each form of location. Pure; whoever opens one resolves links and judges again. Does not
own: which storages there are (`services.storages`), or opening anything.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

FILE = "file"
_HOSTS = ("http", "https", "oci")
"""Schemes whose authority is a host, as `artifacts.storage.places` has them."""
_LOCAL_HOSTS = (b"", b"localhost")
_PINNED = {"oci": b"@:", "hf": b"@"}
"""Schemes whose repositories are followed by a version in the same segment: `repo@sha256:…`, `repo:tag`."""


@dataclass(frozen=True, slots=True, order=True)
class Root:
    """A storage: its name, and the URI under which locations are copies, such as `s3://bucket/prefix`."""

    name: str
    uri: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A URI taken apart. Decoded, so that two spellings of one place are one."""

    scheme: str
    host: bytes
    segments: tuple[bytes, ...]


def root_of(location: str, roots: Iterable[Root]) -> str | None:
    """The name of the storage that `location` lies in, the one with the longest prefix; None: a mention.

    A query, a fragment, `..`, U+0000 make it a mention; for files a foreign host, for others `.`, an empty
    segment or `%2F`, which a storage there would not follow.
    Source: RFC 3986, section 3; RFC 8089, section 2.
    """
    return _root_of(location, roots if isinstance(roots, tuple) else tuple(roots))


def beginning(root: Root) -> str:
    """A text with which every location under the storage begins; many others may, too."""
    scheme, separator, rest = root.uri.partition("://")
    host = "" if scheme == FILE or scheme in _HOSTS else rest.partition("/")[0]
    return scheme + separator + host


def spelled(location: str) -> Hashable:
    """The same for two spellings of one place, such as `%6D` for `m`; the text itself of what is none."""
    return _place(location) or location


@lru_cache(maxsize=65_536)
def _root_of(location: str, roots: tuple[Root, ...]) -> str | None:
    place = _place(location)
    if place is None:
        return None
    found = [
        (len(base.segments), root.name)
        for root in roots
        if (base := _base(root.uri)) and _covers(base, place)
    ]
    return max(found)[1] if found else None


@lru_cache(maxsize=1024)
def _base(uri: str) -> _Place | None:
    return _place(uri)


def _covers(base: _Place, place: _Place) -> bool:
    if (base.scheme, base.host) != (place.scheme, place.host):
        return False
    count = len(base.segments)
    under = place.segments[:count]
    if under == base.segments:
        return True
    marks = _PINNED.get(base.scheme)
    if not marks or len(under) != count or under[:-1] != base.segments[:-1]:
        return False
    last, known = under[-1], base.segments[-1]
    return last.startswith(known) and last[len(known) : len(known) + 1] in [bytes([mark]) for mark in marks]


def _place(uri: str) -> _Place | None:
    """None for what may never be opened."""
    scheme, separator, rest = uri.partition("://")
    if not separator or not scheme.isascii() or scheme != scheme.lower() or "?" in uri or "#" in uri:
        return None
    host, slash, path = rest.encode("utf-8", "surrogatepass").partition(b"/")
    if b"@" in host:
        return None
    if scheme == FILE:
        segments = _file_segments(path)
        local = slash and host.lower() in _LOCAL_HOSTS
        return _Place(scheme, b"", segments) if local and segments is not None else None
    segments = _segments(path)
    # Buckets, owners and sources are names; a host's letters have no case.
    named = host.lower() if scheme in _HOSTS else host
    return _Place(scheme, named, segments) if host and segments is not None else None


def _file_segments(path: bytes) -> tuple[bytes, ...] | None:
    """As a file system takes a path: `//` and `.` say nothing, and `%2F` is a `/`."""
    decoded = unquote_to_bytes(path)
    segments = tuple(part for part in decoded.split(b"/") if part not in {b"", b"."})
    return None if b"\0" in decoded or b".." in segments else segments


def _segments(path: bytes) -> tuple[bytes, ...] | None:
    """As a server takes one: what is in doubt there names something else, if anything."""
    parts = path.removesuffix(b"/").split(b"/") if path else []
    segments = tuple(unquote_to_bytes(part) for part in parts)
    odd = any(part in {b"", b".", b".."} or b"/" in part or b"\0" in part for part in segments)
    return None if odd else segments
