"""What the clouds' object stores have in common: a bucket, keys that look like paths, listings in pages.

Owns: from a location to a key and back, folders of keys, missing or gone. Does not own: any one service's
requests (`s3`, `gcs`, `azure`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from urllib3.response import BaseHTTPResponse

from lineage.artifacts.reading import ByteSource
from lineage.artifacts.storage import places, web
from lineage.artifacts.storage.base import Access, Item, MissingError, Storage
from lineage.artifacts.storage.ranged import RangedBytes, Remote, Version, version_of
from lineage.artifacts.storage.web import Web
from lineage.errors import InconclusiveError
from lineage.net.sockets import leave

PAGE = 1000
"""Objects in one answer of a listing: what all of them give at most."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An object in a listing. `mark`: the version, where a store reads one by it."""

    key: str
    size: int
    mark: str = ""


class Object(Remote, Protocol):
    """`mark`: the version that is read, once it is known; empty where a store has none."""

    mark: str


class Bucket(Storage):
    """Objects under a prefix of one bucket, `scheme://bucket/prefix`."""

    def __init__(self, access: Access) -> None:
        self._base = places.place(access.uri)
        self.bucket = self._base.authority
        self.web = Web.of(access)

    @abstractmethod
    def remote(self, key: str, mark: str) -> Object:
        """One object. `mark`: as its listing says, or empty."""

    @abstractmethod
    def pages(self, prefix: str, most: int) -> Iterator[list[Listed]]:
        """Objects whose keys begin with `prefix`, at most `most` a page.

        Raises: GoneError for a bucket that is not there, or does not let us list; InconclusiveError.
        """

    def probe(self) -> None:
        """The bucket lets us list it."""
        next(self.pages(self._key(self._base.segments, ""), 1), None)

    def item(self, location: str) -> Item:
        found = places.under(self._base, location)
        if found.folder:
            raise InconclusiveError(f"{location} is a folder.")
        key = self._key((*self._base.segments, *found.segments), "")
        try:
            remote = self.remote(key, "")
            return Item(b"", remote.head().size, _opened(remote.mark, key))
        except MissingError:
            self.probe()  # nothing is missing in a bucket that went
            raise

    def items(self, location: str) -> list[Item]:
        found = places.under(self._base, location)
        prefix = self._key((*self._base.segments, *found.segments), "/")
        items: list[Item] = []
        for page in self.pages(prefix, PAGE):
            for each in page:
                if not each.key.startswith(prefix):
                    raise InconclusiveError("A listing names an object that is not in the folder.")
                if each.key.endswith("/") and each.size == 0:
                    continue  # a folder, as consoles make them
                path = places.listed(each.key.removeprefix(prefix).encode("utf-8", "surrogatepass"))
                items.append(Item(path, each.size, _opened(each.mark, each.key)))
            places.within_limit(len(items))
        if not items:
            raise MissingError(f"Nothing is in {location}.")
        return places.in_order(items)

    def open(self, item: Item) -> ByteSource:
        mark, _, key = item.opened.partition(" ")
        places.under(self._base, f"{self._base.scheme}://{self.bucket}/{places.quoted(key.encode())}")
        return RangedBytes(self.remote(key, mark), item.size)

    def close(self) -> None:
        self.web.close()

    def accept(self, answer: BaseHTTPResponse, name: str) -> BaseHTTPResponse:
        """An answer of an object, if it is one that `RangedBytes` takes; else it is left, and said.

        HEAD has no body to say why something is refused; a listing says whether it is all of the bucket.
        """
        if answer.status in {200, 206, 412, 416}:
            return answer
        leave(answer)
        if answer.status in {401, 403}:
            self.probe()
        web.refuse(answer, name)

    def _key(self, segments: tuple[bytes, ...], end: str) -> str:
        path = places.text(b"/".join(segments))
        return path + end if path else ""


def _opened(mark: str, key: str) -> str:
    return f"{mark} {key}"


class Asking(Protocol):
    """A bucket whose objects are asked for by their key."""

    def ask(self, method: str, key: str, headers: Mapping[str, str]) -> BaseHTTPResponse: ...


class BucketObject:
    """One object. An answer is always of one version of it. `name` is its location, for people."""

    fixed = False
    atomic = True
    mark = ""

    def __init__(self, store: Asking, name: str, key: str) -> None:
        self._store = store
        self._key = key
        self.name = name

    def version(self, answer: BaseHTTPResponse) -> Version:
        return version_of(answer)

    def head(self) -> Version:
        answer = self._store.ask("HEAD", self._key, {})
        leave(answer)
        return version_of(answer)

    def get(self, headers: Mapping[str, str]) -> BaseHTTPResponse:
        return self._store.ask("GET", self._key, headers)
